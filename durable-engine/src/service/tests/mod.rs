//! Scripts of calls, and what they must leave: one file for each family of rules.

mod callbacks;
mod chained;
mod invocations;
mod pauses;
mod state;
mod steps;
mod validation;
mod waits;

use durable_runtime::{
    protocol::{
        ErrorObject, InvocationInput, InvocationOutput, Operation, OperationAction, OperationId,
        OperationStatus, OperationType, OperationUpdate, Payload, StepOptions, Timestamp, WaitOptions,
    },
    service::{CheckpointRequest, CheckpointResponse},
};
use uuid::Uuid;

use super::{
    Changes, Event, Execution, ExecutionKey, NewExecution, PageLimit, Refusal, Surroundings, Target,
};

/// An execution under test: keeps its time, its token and the events it left.
struct Script {
    execution: Execution,
    now: Timestamp,
    token: String,
    invocations: u128,
    events: Vec<Event>,
    children: Vec<Execution>,
}

impl Script {
    /// A new execution, its first invocation begun.
    fn begun() -> Self {
        let mut script = Self::created(60 * 60);
        script.begin();
        script
    }

    fn created(timeout_seconds: u64) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let new = NewExecution {
            key: ExecutionKey::new(1),
            nonce: 7,
            region: "local".into(),
            function: "f".into(),
            name: Some("n".into()),
            tenant: None,
            trace_header: None,
            timeout_seconds,
            parent: None,
            input: Some("{}".into()),
        };
        let execution = Execution::create(new, now);
        let mut script = Self {
            execution,
            now,
            token: String::new(),
            invocations: 0,
            events: Vec::new(),
            children: Vec::new(),
        };
        script.drain();
        script
    }

    /// Fetches what changed, as a store would.
    fn drain(&mut self) -> Changes {
        let changes = self.execution.take_changes();
        self.events.extend(changes.events.iter().map(|new| new.event.clone()));
        changes
    }

    fn begin(&mut self) -> InvocationInput {
        assert!(self.execution.owes_invocation(self.now), "no invocation is owed");
        self.invocations += 1;
        let id = Uuid::from_u128(self.invocations);
        let input = self.execution.begin_invocation(id, self.invocations << 64, PageLimit::NONE, self.now);
        self.token.clone_from(&input.checkpoint_token);
        self.drain();
        input
    }

    fn finish(&mut self, ended: Result<InvocationOutput, ErrorObject>) {
        self.execution.finish_invocation(Uuid::from_u128(self.invocations), ended, self.now);
        self.drain();
    }

    fn suspend(&mut self) {
        self.finish(Ok(InvocationOutput::Pending));
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.after(std::time::Duration::from_secs(seconds));
        self
    }

    fn fire(&mut self) {
        self.execution.fire_due(self.now);
        self.drain();
    }

    fn request(&self, updates: Vec<OperationUpdate>) -> CheckpointRequest {
        CheckpointRequest {
            durable_execution_arn: self.execution.record().arn(),
            checkpoint_token: self.token.clone(),
            updates,
            client_token: None,
        }
    }

    fn send(&mut self, request: CheckpointRequest) -> Result<CheckpointResponse, Refusal> {
        let mut next_key = 100;
        let mut resolve = |reference: &str| {
            next_key += 1;
            (super::function_of_reference(reference) == "known").then(|| Target {
                function: "known".into(),
                key: ExecutionKey::new(next_key),
                nonce: 9,
            })
        };
        let mut surroundings = Surroundings { now: self.now, nonce: 5, resolve: &mut resolve };
        let checkpoint = self.execution.checkpoint(request, &mut surroundings)?;
        self.children.extend(checkpoint.children);
        self.drain();
        if let Some(refusal) = checkpoint.interruption {
            return Err(refusal);
        }
        if let Some(token) = &checkpoint.response.checkpoint_token {
            self.token.clone_from(token);
        }
        Ok(checkpoint.response)
    }

    fn checkpoint(&mut self, updates: Vec<OperationUpdate>) -> Vec<Operation> {
        let request = self.request(updates);
        self.send(request).unwrap().new_execution_state.operations
    }

    /// The message with which a batch is refused; checks that it changed nothing.
    fn refused(&mut self, updates: Vec<OperationUpdate>) -> String {
        let request = self.request(updates);
        let refusal = self.send(request).unwrap_err();
        assert!(self.execution.take_changes().is_empty(), "a refused batch changed something");
        refusal.to_string()
    }

    fn operation(&self, id: &str) -> &Operation {
        self.execution.operation(&OperationId::new(id)).unwrap()
    }

    fn status(&self, id: &str) -> OperationStatus {
        self.operation(id).status
    }

    /// The types of all events so far; checks that their ids have no gaps.
    fn events(&self) -> Vec<&'static str> {
        for (position, event) in self.events.iter().enumerate() {
            assert_eq!(event.event_id, position as u64 + 1);
        }
        self.events.iter().map(|event| event.event_type.as_str()).collect()
    }

    /// The last event as JSON.
    fn last_event(&self) -> serde_json::Value {
        serde_json::to_value(self.events.last().unwrap()).unwrap()
    }
}

fn update(id: &str, kind: OperationType, action: OperationAction) -> OperationUpdate {
    OperationUpdate::new(OperationId::new(id), kind, action)
}

fn start(id: &str, kind: OperationType) -> OperationUpdate {
    update(id, kind, OperationAction::Start)
}

fn succeed(id: &str, kind: OperationType, result: &str) -> OperationUpdate {
    OperationUpdate { payload: Some(Payload::from(result)), ..update(id, kind, OperationAction::Succeed) }
}

fn fail(id: &str, kind: OperationType, message: &str) -> OperationUpdate {
    OperationUpdate { error: Some(ErrorObject::new("E", message)), ..update(id, kind, OperationAction::Fail) }
}

fn retry(id: &str, seconds: u64) -> OperationUpdate {
    OperationUpdate {
        step_options: Some(StepOptions { next_attempt_delay_seconds: seconds }),
        ..update(id, OperationType::Step, OperationAction::Retry)
    }
}

fn wait(id: &str, seconds: u64) -> OperationUpdate {
    OperationUpdate {
        wait_options: Some(WaitOptions { wait_seconds: seconds }),
        ..start(id, OperationType::Wait)
    }
}

fn inside(parent: &str, update: OperationUpdate) -> OperationUpdate {
    OperationUpdate { parent_id: Some(OperationId::new(parent)), ..update }
}
