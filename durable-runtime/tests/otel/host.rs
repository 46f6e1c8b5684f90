//! An engine whose invocations get another environment, as another host would give them.

use std::sync::Arc;

use durable_runtime::{
    environment::Environment,
    protocol::{InvocationInput, InvocationOutput},
    service::BoxFuture,
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use durable_testing::TestEngine;

/// Called when an invocation has answered.
pub(crate) type Answered = Box<dyn FnOnce() + Send>;
pub(crate) type Prepare = Arc<dyn Fn(Environment) -> (Environment, Answered) + Send + Sync>;

pub(crate) struct Hosted {
    inner: SharedWorkflow,
    prepare: Prepare,
}

impl Hosted {
    pub(crate) fn new(inner: SharedWorkflow, prepare: Prepare) -> Self {
        Self { inner, prepare }
    }
}

impl Workflow for Hosted {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn invoke(
        &self,
        input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let (environment, answered) = (self.prepare)(environment);
        let invocation = self.inner.invoke(input, environment);
        Box::pin(async move {
            let answer = invocation.await;
            answered();
            answer
        })
    }
}

pub(crate) fn hosted(
    prepare: impl Fn(Environment) -> (Environment, Answered) + Send + Sync + 'static,
) -> TestEngine {
    let prepare: Prepare = Arc::new(prepare);
    TestEngine::wrapping(move |inner| Arc::new(Hosted::new(inner, Arc::clone(&prepare))))
}
