//! Runs workflows in this process: one tokio task for each invocation.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use durable_runtime::{
    environment::Environment,
    protocol::{ErrorObject, InvocationInput, InvocationOutput},
    service::BoxFuture,
    workflow::{InvocationError, SharedWorkflow},
};
use uuid::Uuid;

use crate::{
    engine::{Core, Permit, Phase, ServiceFace, Slot},
    service::RUNTIME_EXIT_ERROR,
    store::StoreError,
};

/// How long to wait before the end of an invocation is written again, after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// An invocation whose beginning is durable, or on its way to be.
pub(crate) struct Begun {
    pub(crate) slot: Arc<Slot>,
    pub(crate) id: Uuid,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) trace_header: Option<Arc<str>>,
    pub(crate) input: InvocationInput,
    pub(crate) workflow: SharedWorkflow,
    pub(crate) permit: Permit,
}

/// Runs an invocation to its end and records how it ended. Dropped half-way when the engine stops: the
/// execution then goes on after the next start of the engine, as after a crash.
pub(crate) async fn run(core: Arc<Core>, begun: Begun) {
    let Begun { slot, id, tenant, trace_header, input, workflow, permit } = begun;
    let environment = Environment {
        service: Arc::new(ServiceFace(Arc::clone(&core))),
        clock: Arc::clone(&core.clock),
        options: core.driver_options.clone(),
        request_id: Some(id.to_string().into()),
        tenant_id: tenant,
        trace_header,
    };
    let mut invocation: BoxFuture<'static, _> =
        Box::pin(catch_panic(Box::pin(async move { workflow.invoke(input, environment).await })));
    let mut phase = core.phase.subscribe();
    let ended = loop {
        let due = slot.arm();
        let time_limit = async {
            match due {
                Some(moment) => core.clock.sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The stop first: user code must not be polled again after it.
            biased;
            _ = phase.wait_for(|phase| *phase == Phase::Stopped) => return,
            ended = &mut invocation => break ended,
            () = slot.rearmed() => {}
            () = time_limit => core.fire_time_limits(&slot),
        }
    };
    drop(invocation);
    // The slot stays until the end is recorded: with it would go what happened during the invocation, and the
    // execution would not be invoked again for a callback that came while it ran.
    record_end(&core, slot.key(), id, ended, permit).await;
    drop(slot);
}

async fn record_end(
    core: &Arc<Core>,
    key: crate::service::ExecutionKey,
    id: Uuid,
    ended: Result<InvocationOutput, ErrorObject>,
    permit: Permit,
) {
    let mut permit = Some(permit);
    loop {
        match core.finish_invocation(key, id, ended.clone(), &mut permit).await {
            Ok(()) | Err(StoreError::Closed | StoreError::Removed) => return,
            Err(error) => {
                tracing::error!(%error, "the end of an invocation could not be written; it is written again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

/// Runs `invocation`; a panic ends it as the death of a process would.
async fn catch_panic(
    mut invocation: BoxFuture<'static, Result<InvocationOutput, InvocationError>>,
) -> Result<InvocationOutput, ErrorObject> {
    std::future::poll_fn(move |context| {
        let poll = || Pin::new(&mut invocation).poll(context);
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(ended)) => Poll::Ready(ended.map_err(|error| error.error().clone())),
            Err(panic) => {
                let message = panic
                    .downcast_ref::<&str>()
                    .map(|text| (*text).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_else(|| "no message".to_owned());
                Poll::Ready(Err(ErrorObject::new(
                    RUNTIME_EXIT_ERROR,
                    format!("The invocation panicked: {message}"),
                )))
            }
        }
    })
    .await
}
