//! The sudden end of the process, which some requirements ask for.

use std::{future::Future, sync::Arc};

use durable_runtime::{
    environment::Environment,
    protocol::{InvocationInput, InvocationOutput},
    service::BoxFuture,
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use tokio::sync::Notify;

tokio::task_local! {
    /// Set where the process hosts more than this one function and can't be ended for real.
    static PROCESS: Arc<Notify>;
}

/// Ends the process at once, as a crash would: nothing after this runs, and nothing is cleaned up.
pub(super) async fn exit_process() -> ! {
    match PROCESS.try_with(Arc::clone) {
        Ok(process) => {
            process.notify_one();
            std::future::pending().await
        }
        Err(_) => std::process::exit(1),
    }
}

/// A workflow that behaves as in a process of its own, whose sudden end is the end of the invocation only.
#[must_use]
pub fn dying_with_its_process(name: String, inner: SharedWorkflow) -> SharedWorkflow {
    Arc::new(Mortal { name, inner })
}

struct Mortal {
    name: String,
    inner: SharedWorkflow,
}

impl Workflow for Mortal {
    fn name(&self) -> &str {
        &self.name
    }

    fn invoke(
        &self,
        input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let process = Arc::new(Notify::new());
        let invocation = PROCESS.scope(Arc::clone(&process), self.inner.invoke(input, environment));
        Box::pin(until_death(process, invocation))
    }
}

async fn until_death(
    process: Arc<Notify>,
    invocation: impl Future<Output = Result<InvocationOutput, InvocationError>>,
) -> Result<InvocationOutput, InvocationError> {
    tokio::select! {
        output = invocation => output,
        () = process.notified() => {
            Err(InvocationError::of_kind("Runtime.ExitError", "Runtime exited with error: exit status 1"))
        }
    }
}
