//! A durable execution service that knows callbacks `known-...` only.

use durable_runtime::protocol::ErrorObject;
use durable_testing::effect;
use workflows::{
    ports::{BoxFuture, DeliveryFailure, Executions, StoreError, WorkflowId},
    research::Job,
};

use super::Memory;

impl Memory {
    fn complete(&self, callback_id: String, outcome: String) -> Result<(), DeliveryFailure> {
        effect(format!("delivery of {outcome}"));
        let mut state = self.state();
        if state.unavailable > 0 {
            state.unavailable -= 1;
            return Err(DeliveryFailure::Unavailable("it restarts".to_owned()));
        }
        match state.completed.get(&callback_id) {
            _ if !callback_id.starts_with("known-") => Err(DeliveryFailure::Unknown),
            Some(before) if *before == outcome => Err(DeliveryFailure::Repeated),
            Some(_) => Err(DeliveryFailure::Closed),
            None => {
                state.completed.insert(callback_id, outcome);
                Ok(())
            }
        }
    }
}

impl Executions for Memory {
    fn start(&self, job: Job) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            effect(format!("start of {}", job.workflow_id));
            self.answered(())
        })
    }

    fn stop(&self, id: WorkflowId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            effect(format!("stop of {id}"));
            self.answered(())
        })
    }

    fn ended(&self, _id: WorkflowId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async move { Ok(None) })
    }

    fn succeed(&self, callback_id: String, result: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move { self.complete(callback_id, result) })
    }

    fn fail(&self, callback_id: String, error: ErrorObject) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move { self.complete(callback_id, error.to_string()) })
    }

    fn heartbeat(&self, callback_id: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move {
            effect("heartbeat");
            let is_known = callback_id.starts_with("known-");
            if is_known { Ok(()) } else { Err(DeliveryFailure::Unknown) }
        })
    }
}
