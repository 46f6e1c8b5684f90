//! The durable execution service: start, stop and callbacks by id.

use std::{sync::Arc, time::Duration};

use durable_runtime::{
    prelude::{callback, durable_execution},
    protocol::ErrorObject,
    workflow::SharedWorkflow,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use workflows::{
    ports::{Callbacks, DeliveryFailure, Executions, Route, WorkflowId},
    research::{Job, Phase, RESEARCH_WORKFLOW},
};

use super::new_record;

/// A durable execution service that runs [`waiting`] in the place of the research workflow.
pub struct World {
    pub executions: Arc<dyn Executions>,
    pub callbacks: Arc<dyn Callbacks>,
    /// The ids of callbacks that were created.
    pub created: tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>,
    pub _keep: Box<dyn std::any::Any + Send + Sync>,
}

/// The rules of the durable execution service.
#[macro_export]
macro_rules! executions_contract {
    ($world:path $(, $($note:tt)+)?) => {
        $crate::contract! {
            $world,
            { $($($note)+)? },
            executions {
                an_execution_is_started_once_and_ends_by_its_callback,
                a_callback_is_completed_once,
                a_failure_is_delivered_once,
                a_stopped_execution_takes_no_callback,
                unknown_tokens_are_unknown,
            }
        }
    };
}

/// What a world runs, and what hears of the callbacks it makes.
pub fn workflow() -> (SharedWorkflow, mpsc::UnboundedReceiver<String>) {
    let (sender, created) = mpsc::unbounded_channel();
    (durable_runtime::workflow(move |job| waiting(sender.clone(), job)), created)
}

#[durable_execution(name = "research_workflow")]
async fn waiting(created: mpsc::UnboundedSender<String>, job: Job) -> Result<Value, durable_runtime::Error> {
    let answer = callback::<Value>("answer").timeout(Duration::from_secs(600)).create().await;
    // Said again by each replay; the tests wait for the first.
    let _ = created.send(format!("{} {}", job.workflow_id, answer.id()));
    Ok(answer.result().await?)
}

impl World {
    /// Starts an execution and waits for its callback.
    async fn started(&self, id: &str) -> (WorkflowId, String) {
        let id = WorkflowId::named(id);
        let job = Job { workflow_id: id.clone(), input: new_record("w").input };
        self.executions.start(job).await.unwrap();
        let mut created = self.created.lock().await;
        let token = loop {
            let line = created.recv().await.unwrap();
            let (of, token) = line.split_once(' ').unwrap();
            if of == id.as_str() {
                break token.to_owned();
            }
        };
        let route = Route { workflow_id: id.clone(), phase: Phase::Research };
        self.callbacks.register(token.clone(), route).await.unwrap();
        (id, token)
    }

    async fn end(&self, id: &WorkflowId) -> String {
        for _ in 0..500 {
            if let Some(end) = self.executions.ended(id.clone()).await.unwrap() {
                return end;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{RESEARCH_WORKFLOW} {id} does not end");
    }
}

pub async fn an_execution_is_started_once_and_ends_by_its_callback(world: &World) {
    let (id, token) = world.started("w-1").await;
    let job = Job { workflow_id: id.clone(), input: new_record("w").input };
    world.executions.start(job.clone()).await.unwrap();
    assert_eq!(world.executions.ended(id.clone()).await.unwrap(), None);
    world.executions.heartbeat(token.clone()).await.unwrap();
    world.executions.succeed(token, "{ \"answer\": 42 }".to_owned()).await.unwrap();
    let end = world.end(&id).await;
    assert!(end.to_uppercase().contains("SUCCEEDED"), "{end}");
    world.executions.start(job).await.unwrap();
    assert_eq!(world.end(&id).await, end, "an execution that ended is not started again");
    world.executions.stop(id).await.unwrap();
}

pub async fn a_callback_is_completed_once(world: &World) {
    let (_, token) = world.started("w-1").await;
    let result = json!({ "answer": "ü\n" }).to_string();
    let succeed = async |result: &str| world.executions.succeed(token.clone(), result.to_owned()).await;
    assert_eq!(succeed(&result).await, Ok(()));
    assert_eq!(succeed(&result).await, Err(DeliveryFailure::Repeated), "the answer may have been lost");
    assert_eq!(succeed("{}").await, Err(DeliveryFailure::Closed));
    let failure = world.executions.fail(token.clone(), ErrorObject::new("T", "m")).await;
    assert_eq!(failure, Err(DeliveryFailure::Closed));
    assert_eq!(world.executions.heartbeat(token.clone()).await, Err(DeliveryFailure::Closed));
}

pub async fn a_failure_is_delivered_once(world: &World) {
    let (id, token) = world.started("w-1").await;
    let fail = async |message: &str| {
        world.executions.fail(token.clone(), ErrorObject::new("AgentFailure", message)).await
    };
    assert_eq!(fail("no sources").await, Ok(()));
    assert_eq!(fail("no sources").await, Err(DeliveryFailure::Repeated));
    assert_eq!(fail("other").await, Err(DeliveryFailure::Closed));
    let end = world.end(&id).await;
    assert!(end.contains("no sources"), "{end}");
}

pub async fn a_stopped_execution_takes_no_callback(world: &World) {
    let (id, token) = world.started("w-1").await;
    world.executions.stop(id.clone()).await.unwrap();
    world.executions.stop(id.clone()).await.unwrap();
    let end = world.end(&id).await;
    assert!(end.contains("cancelled"), "{end}");
    let late = world.executions.succeed(token.clone(), "1".to_owned()).await;
    assert_eq!(late, Err(DeliveryFailure::Closed));
    let nobody = WorkflowId::named("nobody");
    world.executions.stop(nobody.clone()).await.unwrap();
    assert_eq!(world.executions.ended(nobody).await.unwrap(), None);
}

pub async fn unknown_tokens_are_unknown(world: &World) {
    for token in ["nobody", "a/b?c#d", "ü 🦀", "..", "%00", "x".repeat(1024).as_str()] {
        let succeeded = world.executions.succeed(token.to_owned(), "1".to_owned()).await;
        assert_eq!(succeeded, Err(DeliveryFailure::Unknown), "{token}");
        let failed = world.executions.fail(token.to_owned(), ErrorObject::new("T", "m")).await;
        assert_eq!(failed, Err(DeliveryFailure::Unknown), "{token}");
        let heartbeat = world.executions.heartbeat(token.to_owned()).await;
        assert_eq!(heartbeat, Err(DeliveryFailure::Unknown), "{token}");
    }
}
