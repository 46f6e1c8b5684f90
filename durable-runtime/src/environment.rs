//! What an invocation is given from outside: time and the service.

use std::{sync::Arc, time::Duration};

use crate::{
    intercept::Interceptor,
    payloads::Payloads,
    plugin::{Plugin, Plugins},
    protocol::Timestamp,
    service::{BoxFuture, DurableService},
};

/// Time, passed in, so that a test can own it.
pub trait Clock: Send + Sync {
    /// The current moment.
    fn now(&self) -> Timestamp;
    /// Ready once `deadline` has passed.
    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()>;
}

/// Everything that an invocation needs from its host.
#[derive(Clone)]
pub struct Environment {
    /// Where checkpoints go.
    pub service: Arc<dyn DurableService>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How the driver behaves.
    pub options: Options,
    /// The host's id of this invocation, such as Lambda's request id; for plugins and logs.
    pub request_id: Option<Arc<str>>,
    /// The X-Ray header that came with this invocation, for plugins.
    pub trace_header: Option<Arc<str>>,
    /// The tenant that the execution runs for, when its function is isolated by tenant.
    pub tenant_id: Option<Arc<str>>,
}

impl Environment {
    /// An environment with default [`Options`].
    pub fn new(service: Arc<dyn DurableService>, clock: Arc<dyn Clock>) -> Self {
        let options = Options::default();
        Self { service, clock, options, request_id: None, trace_header: None, tenant_id: None }
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("options", &self.options).finish_non_exhaustive()
    }
}

/// How the driver behaves; the defaults fit production.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long the START of a running step may stay unsent when nothing else needs a checkpoint.
    /// Default 100 ms: long steps become visible, short ones cost no call of their own.
    pub linger: Duration,
    /// A wait or retry due within this time is waited out in process instead of suspending. Default 0.
    pub wait_in_process: Duration,
    /// What to do when code and history no longer match.
    pub on_divergence: DivergencePolicy,
    /// Log during replay too. Default false.
    pub log_replay: bool,
    /// Who watches. Default nobody; see [`Options::plugin`].
    pub plugins: Plugins,
    /// Where payloads go that are too large for a checkpoint. Default nowhere: they fail the execution.
    pub payloads: Option<Payloads>,
    /// Who is asked before the body of a step begins; for test kits. Default nobody.
    pub interceptor: Option<Interceptor>,
}

impl Options {
    /// Adds a plugin; plugins hear of each event in the order in which they were added.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Plugin + 'static) -> Self {
        self.plugins.add(Arc::new(plugin));
        self
    }

    /// Keeps payloads that are too large for a checkpoint in a store of their own: results of steps, states of
    /// conditions, inputs and results of invokes. Everything that replays or starts these executions needs the
    /// same store.
    #[must_use]
    pub fn payloads(mut self, payloads: Payloads) -> Self {
        self.payloads = Some(payloads);
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(100),
            wait_in_process: Duration::ZERO,
            on_divergence: DivergencePolicy::Fail,
            log_replay: false,
            plugins: Plugins::default(),
            payloads: None,
            interceptor: None,
        }
    }
}

/// What to do when the code no longer matches the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DivergencePolicy {
    /// Fail the execution, naming the operation.
    #[default]
    Fail,
    /// End the invocation with an error, so that the service tries again and a roll-back of the code heals it.
    RetryInvocation,
}
