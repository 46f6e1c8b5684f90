//! The engine as an invocation sees it.

use std::sync::Arc;

use durable_runtime::{
    protocol::ExecutionState,
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError, StateRequest},
};

use super::{Core, Engine, start::key_of_reference};
use crate::{
    service::{ExecutionKey, Refusal, Surroundings, Target, function_of_reference},
    store::StoreError,
};

/// The engine as an invocation sees it. Does not keep the engine running.
pub(crate) struct ServiceFace(pub(crate) Arc<Core>);

impl DurableService for ServiceFace {
    fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>> {
        Box::pin(self.0.checkpoint(request))
    }

    fn execution_state(&self, request: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>> {
        Box::pin(self.0.execution_state(request))
    }
}

impl DurableService for Engine {
    fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>> {
        Box::pin(self.core.checkpoint(request))
    }

    fn execution_state(&self, request: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>> {
        Box::pin(self.core.execution_state(request))
    }
}

impl Core {
    async fn checkpoint(
        self: &Arc<Self>,
        request: CheckpointRequest,
    ) -> Result<CheckpointResponse, ServiceError> {
        let key = execution_key(&request.durable_execution_arn)?;
        let nonce = self.nonce();
        let changed = self.change(key, |execution, now, batch| {
            if execution.record().arn() != request.durable_execution_arn {
                return Err(unknown_execution());
            }
            let mut resolve = |reference: &str| {
                let (function, _) = self.workflow(function_of_reference(reference))?;
                Some(Target { function, key: self.store.next_key(), nonce: self.nonce() })
            };
            let mut surroundings = Surroundings { now, nonce, resolve: &mut resolve };
            let checkpoint = execution.checkpoint(request, &mut surroundings)?;
            for child in checkpoint.children {
                let slot = self.live.insert(child);
                if let Some(mut child) = slot.lock() {
                    batch.add(&slot, &mut child);
                }
            }
            checkpoint.interruption.map_or(Ok(checkpoint.response), |refusal| Err(refusal.into()))
        });
        let (response, commit) = changed.await.map_err(store_failed)?.ok_or_else(unknown_execution)?;
        // An answer that is given again must be as durable as the first time.
        self.settled(commit).await.map_err(store_failed)?;
        response
    }

    async fn execution_state(
        self: &Arc<Self>,
        request: StateRequest,
    ) -> Result<ExecutionState, ServiceError> {
        let key = execution_key(&request.durable_execution_arn)?;
        let slot =
            self.live.get(key, &*self.store).await.map_err(store_failed)?.ok_or_else(unknown_execution)?;
        let execution = slot.lock().ok_or_else(|| store_failed(StoreError::Void))?;
        if execution.record().arn() != request.durable_execution_arn {
            return Err(unknown_execution());
        }
        Ok(execution.state_page(&request.checkpoint_token, &request.marker, self.page_limit)?)
    }
}

fn execution_key(arn: &str) -> Result<ExecutionKey, ServiceError> {
    key_of_reference(arn).ok_or_else(unknown_execution)
}

/// The service does not model a "not found" for these calls.
fn unknown_execution() -> ServiceError {
    Refusal::StaleToken("there is no such execution").into()
}

fn store_failed(error: StoreError) -> ServiceError {
    ServiceError::transient("ServiceException", error.to_string())
}
