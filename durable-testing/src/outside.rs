//! The scripted outside: answers callbacks of all executions, and functions that exist only as closures.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use durable_engine::{Engine, ListFilter, service::EventType};
use durable_runtime::{
    environment::Environment,
    protocol::{ErrorObject, InvocationInput, InvocationOutput, OperationStatus, OperationType, Payload},
    service::BoxFuture,
    workflow::{InvocationError, Workflow},
};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast::error::RecvError;

use crate::{
    answer::{Answer, CallbackRequest, IntoAnswer, Reply},
    engine::TestEngine,
    gate::{Arrival, Gates},
    world::{Message, deliver},
};

type Handler = Arc<dyn Fn(&CallbackRequest) -> Answer + Send + Sync>;

/// Who answers callbacks.
#[derive(Default)]
pub(crate) struct Outside {
    script: Mutex<Script>,
    gates: Option<Arc<Gates>>,
}

#[derive(Default)]
struct Script {
    handlers: Vec<(String, Handler)>,
    /// Callbacks that have their answer, on its way or delivered.
    answered: BTreeSet<String>,
    numbers: BTreeMap<String, usize>,
    watching: bool,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outside")
    }
}

impl Outside {
    pub(crate) fn behind(gates: Option<Arc<Gates>>) -> Self {
        Self { gates, ..Self::default() }
    }

    pub(crate) fn gates(&self) -> Option<Arc<Gates>> {
        self.gates.clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn on_callback(&self, test: &TestEngine, name: String, handler: Handler) {
        let mut script = self.script();
        script.handlers.retain(|(known, _)| *known != name);
        script.handlers.push((name, handler));
        if !std::mem::replace(&mut script.watching, true) {
            tokio::spawn(watch(test.clone()));
        }
    }

    /// The answer to a callback that has none yet.
    fn answer(&self, mut request: CallbackRequest) -> Option<(CallbackRequest, Answer)> {
        let mut script = self.script();
        let handler = script.handlers.iter().find(|(name, _)| *name == request.name)?.1.clone();
        if !script.answered.insert(request.callback_id.clone()) {
            return None;
        }
        let number = script.numbers.entry(request.name.clone()).or_default();
        *number += 1;
        request.number = *number;
        drop(script);
        let answer = handler(&request);
        Some((request, answer))
    }
}

/// Answers callbacks through all lives of the engine.
async fn watch(test: TestEngine) {
    let mut lives = test.lives();
    loop {
        lives.mark_unchanged();
        let Some(engine) = test.try_engine() else {
            let _ = lives.changed().await;
            continue;
        };
        // Subscribed before looking, so that nothing is missed in between.
        let mut events = engine.subscribe();
        answer_all(&test, &engine).await;
        drop(engine);
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                _ = lives.changed() => break,
            };
            match event {
                Ok(event) if event.event_type == EventType::CallbackStarted => {
                    let Some(engine) = test.try_engine() else { break };
                    answer_open(&test, &engine, &event.arn).await;
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => {
                    let _ = lives.changed().await;
                    break;
                }
            }
        }
    }
}

async fn answer_all(test: &TestEngine, engine: &Engine) {
    let filter = ListFilter { oldest_first: true, limit: usize::MAX >> 1, ..ListFilter::default() };
    let Ok(list) = engine.list(filter).await else { return };
    for execution in list.executions.iter().filter(|execution| !execution.status.is_terminal()) {
        answer_open(test, engine, &execution.arn).await;
    }
}

async fn answer_open(test: &TestEngine, engine: &Engine, arn: &str) {
    let Ok(operations) = engine.operations(arn).await else { return };
    for operation in operations {
        if operation.operation_type != OperationType::Callback || operation.status != OperationStatus::Started
        {
            continue;
        }
        let (Some(name), Some(details)) = (operation.name, operation.callback_details) else { continue };
        let Some(callback_id) = details.callback_id else { continue };
        let request = CallbackRequest {
            name: name.to_string(),
            callback_id,
            number: 0,
            operation_id: operation.id,
            execution_arn: arn.to_owned(),
        };
        if let Some((request, answer)) = test.outside().answer(request) {
            tokio::spawn(reply(test.clone(), request, answer));
        }
    }
}

async fn reply(test: TestEngine, request: CallbackRequest, answer: Answer) {
    let id = request.callback_id;
    let heartbeats = async {
        let Some(interval) = answer.heartbeat else { return std::future::pending().await };
        loop {
            tokio::time::sleep(interval).await;
            deliver(&test, &id, Message::Heartbeat).await;
        }
    };
    let due = async {
        if answer.reply.is_none() {
            std::future::pending::<()>().await;
        }
        if let Some(gates) = test.outside().gates() {
            gates.expect(test.clock().now().after(answer.after));
        }
        tokio::time::sleep(answer.after).await;
    };
    tokio::select! {
        () = due => {}
        () = heartbeats => {}
    }
    if let Some(gates) = test.outside().gates() {
        gates.pass(Arrival::Callback { name: request.name }).await;
    }
    if let Some(reply) = answer.reply {
        deliver(&test, &id, Message::Reply(reply)).await;
    }
}

/// From the input of an invocation to its answer.
type Respond = Box<dyn Fn(Option<&Payload>) -> Answer + Send + Sync>;

/// A function that exists only as a closure.
pub(crate) struct ClosureFunction {
    name: String,
    gates: Option<Arc<Gates>>,
    answer: Respond,
}

impl ClosureFunction {
    pub(crate) fn new<I: DeserializeOwned, R: IntoAnswer>(
        name: String,
        gates: Option<Arc<Gates>>,
        answer: impl Fn(I) -> R + Send + Sync + 'static,
    ) -> Self {
        let function = name.clone();
        let answer = move |input: Option<&Payload>| {
            let input = input.map_or("null", Payload::as_str);
            match serde_json::from_str(input) {
                Ok(input) => answer(input).into_answer(),
                Err(error) => Answer::failure(ErrorObject::new(
                    "InvalidInput",
                    format!(
                        "the handler of `{function}` takes a `{}`, and was invoked with {input}: {error}",
                        std::any::type_name::<I>()
                    ),
                )),
            }
        };
        Self { name, gates, answer: Box::new(answer) }
    }
}

impl Workflow for ClosureFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn invoke(
        &self,
        input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let operations = input.initial_execution_state.operations;
        let execution = operations.iter().find(|it| it.operation_type == OperationType::Execution);
        let details = execution.and_then(|execution| execution.execution_details.as_ref());
        let answer = (self.answer)(details.and_then(|details| details.input_payload.as_ref()));
        let (function, gates) = (self.name.clone(), self.gates.clone());
        Box::pin(async move {
            let due = environment.clock.now().after(answer.after);
            if let Some(gates) = &gates {
                gates.expect(due);
            }
            environment.clock.sleep_until(due).await;
            if let Some(gates) = gates {
                gates.pass(Arrival::Invoke { function }).await;
            }
            match answer.reply {
                Some(Reply::Success(result)) => Ok(InvocationOutput::Succeeded { result: Some(result) }),
                Some(Reply::Failure(error)) => Ok(InvocationOutput::Failed { error: Some(error) }),
                None => std::future::pending().await,
            }
        })
    }
}
