//! Logging that is silent on replay.

use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

use crate::{operations::attempt::current_step, scope::Cx};

/// A filter for `tracing` layers that drops what durable code logs while it is being replayed.
///
/// Replay is known for each context: one branch may be replaying while another one logs. Steps and code
/// outside of executions are never silenced.
///
/// ```
/// use durable_runtime::ReplayFilter;
/// use tracing_subscriber::{Layer as _, layer::SubscriberExt as _};
///
/// let subscriber =
///     tracing_subscriber::registry().with(tracing_subscriber::fmt::layer().with_filter(ReplayFilter));
/// # let _ = subscriber;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayFilter;

impl<S: Subscriber> Filter<S> for ReplayFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        // Spans are kept: they carry the fields of what is logged later.
        metadata.is_span()
            || Cx::try_current().is_none_or(|cx| cx.run().options.log_replay || !cx.is_replaying())
    }
}

/// True while the current durable code only repeats what an earlier invocation did. False elsewhere.
///
/// For logs and metrics. Code that decides by it what to do next breaks replay.
#[must_use]
pub fn is_replaying() -> bool {
    Cx::try_current().is_some_and(|cx| cx.is_replaying())
}

/// The ARN of the current execution, in durable code and inside steps; `None` elsewhere.
#[must_use]
pub fn execution_arn() -> Option<String> {
    Cx::try_current()
        .map(|cx| cx.run().arn.to_string())
        .or_else(|| current_step().map(|step| step.execution_arn.to_string()))
}
