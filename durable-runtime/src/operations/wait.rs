//! Waits: completed by time, by the service.

use std::{future::Future, time::Duration};

use compact_str::CompactString;

use crate::{
    core::outbox::Urgency,
    duration::IntoDuration,
    operation::{DurableOperation, only_inside},
    protocol::{ErrorObject, OperationAction, OperationType, Timestamp, WaitOptions, limits, sub_type},
    retry::seconds_ceil,
    scope::Cx,
};

/// Suspends the execution for `duration`: nothing runs and nothing is paid for meanwhile.
///
/// A [`std::time::Duration`], or text such as `"1h30m"`. From 1 second to 366 days; a fraction of a second
/// counts as a whole one. Outside of that range the execution fails.
///
/// ```
/// use std::time::Duration;
/// use durable_runtime::prelude::*;
///
/// #[durable_execution]
/// async fn patient() -> Result<(), Error> {
///     wait(Duration::from_secs(3600)).await;
///     Ok(())
/// }
/// ```
pub fn wait(duration: impl IntoDuration) -> Wait {
    Wait { until: duration.into_duration().map(Until::Elapsed), name: None }
}

/// Suspends the execution until `moment`, at most 366 days ahead; one that is past makes the shortest wait, 1 s.
///
/// ```
/// use std::time::Duration;
/// use durable_runtime::prelude::*;
///
/// #[durable_execution]
/// async fn tomorrow() -> Result<(), Error> {
///     let start = now().await;
///     wait_until(start.after(Duration::from_secs(86_400))).await;
///     Ok(())
/// }
/// ```
pub fn wait_until(moment: Timestamp) -> Wait {
    Wait { until: Ok(Until::Moment(moment)), name: None }
}

/// See [`wait`].
#[derive(Debug)]
#[must_use = "a durable wait does nothing unless awaited"]
pub struct Wait {
    until: Result<Until, String>,
    name: Option<CompactString>,
}

#[derive(Clone, Copy, Debug)]
enum Until {
    Elapsed(Duration),
    Moment(Timestamp),
}

impl Wait {
    /// Records this wait under a name: 1 to 256 printable ASCII characters.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(CompactString::from(name.into()));
        self
    }
}

#[diagnostic::do_not_recommend]
impl DurableOperation for Wait {
    type Output = ();

    fn start(self, cx: Cx) -> impl Future<Output = ()> + Send {
        let identity = cx.claim(OperationType::Wait, sub_type::WAIT, self.name);
        async move {
            if cx.recorded(&identity.id, |operation| operation.is_none()) {
                let seconds = match self.until {
                    Ok(Until::Elapsed(duration)) => seconds_ceil(duration),
                    // A moment that is past still makes the shortest wait: the record keeps replays alike.
                    Ok(Until::Moment(moment)) => {
                        seconds_ceil(moment.since(cx.now())).max(limits::MIN_WAIT_SECONDS)
                    }
                    Err(message) => {
                        let message = format!("the duration of {} is wrong: {message}", identity.describe());
                        cx.fail(ErrorObject::new("InvalidWait", message)).await
                    }
                };
                if !(limits::MIN_WAIT_SECONDS..=limits::MAX_WAIT_SECONDS).contains(&seconds) {
                    let message = format!(
                        "{} would last {seconds} s; a wait lasts {} to {} s",
                        identity.describe(),
                        limits::MIN_WAIT_SECONDS,
                        limits::MAX_WAIT_SECONDS
                    );
                    cx.fail(ErrorObject::new("InvalidWait", message)).await;
                }
                let mut start = identity.update(OperationAction::Start);
                start.wait_options = Some(WaitOptions { wait_seconds: seconds });
                cx.push(start, Urgency::Urgent);
            }
            cx.until(&identity.id, |operation| {
                operation.filter(|wait| wait.status.is_terminal()).map(|_| ())
            })
            .await;
        }
    }
}
only_inside!([] Wait, ());
