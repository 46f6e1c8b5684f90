//! The clock of the real world.

#![expect(clippy::disallowed_methods, reason = "this host is where the environment's clock comes from")]

use std::time::{Duration, SystemTime};

use crate::{environment::Clock, protocol::Timestamp, service::BoxFuture};

/// The system's clock and tokio's timers.
#[derive(Clone, Copy, Debug)]
pub(super) struct LambdaClock;

/// An environment is frozen between invocations, and its clock may be set when it is thawed: no sleep is longer
/// than this before it looks again.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

impl Clock for LambdaClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let clock = *self;
        Box::pin(async move {
            loop {
                let left = deadline.since(clock.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
        })
    }
}
