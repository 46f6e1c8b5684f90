//! Every actor in memory, for tests in virtual time: no file, no thread, no socket. Each side effect is
//! counted with [`durable_testing::effect`].

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses its own part of this")]

mod agents;
mod callbacks;
mod executions;
mod records;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use durable_runtime::protocol::Timestamp;
use durable_testing::effect;
use tokio::sync::Notify as Bell;
use workflows::ports::{
    AgentTask, ArtifactRef, Artifacts, AuditEntry, BoxFuture, DeadLetter, Delivery, DomainEvent, Events,
    Executions, Fetched, HistoryEntry, NewCallback, Notification, Notify, Ports, Route, Settings, StoreError,
    Unstored, WorkflowId, WorkflowRecord,
};

pub use agents::Dispatch;

/// The world as the workflows see it. Clones share it.
#[derive(Clone, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Rings when a task was accepted.
    accepted: Bell,
}

#[derive(Default)]
pub struct State {
    pub records: BTreeMap<WorkflowId, WorkflowRecord>,
    pub audit: Vec<(WorkflowId, AuditEntry)>,
    pub routes: HashMap<String, Route>,
    pub results: HashMap<String, (NewCallback, Delivery)>,
    pub history: Vec<HistoryEntry>,
    pub letters: Vec<DeadLetter>,
    /// Callbacks that could not be stored.
    pub kept: Vec<Unstored>,
    /// Whether results and dead letters can't be stored.
    pub is_full: bool,
    pub artifacts: BTreeMap<String, Vec<u8>>,
    pub notifications: Vec<Notification>,
    pub events: Vec<DomainEvent>,
    /// Tasks that were accepted and not taken up yet.
    pub tasks: VecDeque<AgentTask>,
    /// What the next dispatches meet; then they are accepted.
    pub dispatches: VecDeque<Dispatch>,
    /// What the durable execution service was told, when it is a fake.
    pub completed: HashMap<String, String>,
    /// How many calls of the fake service fail before it answers.
    pub unavailable: usize,
    /// The call whose answer is lost after it had its effect, counted from 1.
    pub lost_answer: usize,
    /// Calls that could have lost their answer, so far.
    pub calls: usize,
    ticks: i64,
}

impl State {
    /// Fails when there is none.
    fn room(&self) -> Result<(), StoreError> {
        let detail = "the disk is full".to_owned();
        if self.is_full { Err(StoreError::Unavailable { what: "an actor", detail }) } else { Ok(()) }
    }

    /// A moment later than all before.
    fn now(&mut self) -> Timestamp {
        self.ticks += 1;
        Timestamp::from_millis(self.ticks)
    }
}

impl Memory {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// All ports on this memory; callbacks are completed at `executions`.
    pub fn ports(&self, executions: Arc<dyn Executions>, settings: Settings) -> Ports {
        let actor = Arc::new(self.clone());
        Ports {
            records: Arc::clone(&actor) as _,
            callbacks: Arc::clone(&actor) as _,
            dead_letter_queue: Some(Arc::clone(&actor) as _),
            artifacts: Arc::clone(&actor) as _,
            agents: Arc::clone(&actor) as _,
            notify: Arc::clone(&actor) as _,
            events: actor,
            executions,
            webhooks: None,
            metrics: Arc::new(workflows::local::LoggedMetrics),
            settings,
        }
    }

    /// The same with a fake in the place of the durable execution service.
    pub fn closed_world(&self) -> Ports {
        self.ports(Arc::new(self.clone()), settings())
    }

    /// The answer of an actor, unless this is the call that loses it.
    fn answered<T>(&self, answer: T) -> Result<T, StoreError> {
        let mut state = self.state();
        state.calls += 1;
        if state.calls == state.lost_answer {
            let detail = "the connection broke".to_owned();
            return Err(StoreError::Unavailable { what: "an actor", detail });
        }
        Ok(answer)
    }

    /// The next task that an agent accepted.
    pub async fn next_task(&self) -> AgentTask {
        loop {
            let accepted = self.0.accepted.notified();
            if let Some(task) = self.state().tasks.pop_front() {
                return task;
            }
            accepted.await;
        }
    }
}

/// What a deployment without any configuration has.
pub fn settings() -> Settings {
    let config = workflows::config::Config::read(|_| None).unwrap();
    Settings {
        callback_url: "http://callbacks.example/callbacks".to_owned(),
        approval_timeout: config.approval_timeout,
        heartbeat_timeout: config.heartbeat_timeout,
    }
}

impl Artifacts for Memory {
    fn put(&self, key: String, bytes: Vec<u8>) -> BoxFuture<'_, Result<ArtifactRef, StoreError>> {
        Box::pin(async move {
            effect(format!("artifact {key}"));
            let reference = ArtifactRef::new("memory", &key);
            self.state().artifacts.insert(key, bytes);
            self.answered(reference)
        })
    }

    fn get(&self, reference: ArtifactRef) -> BoxFuture<'_, Result<Fetched, StoreError>> {
        Box::pin(async move {
            let (_, key) = reference.parts().unwrap();
            effect(format!("read {key}"));
            let bytes = self.state().artifacts.get(key).cloned();
            let bytes = bytes.ok_or_else(|| StoreError::NotFound(format!("no artifact {key}")))?;
            self.answered(Fetched { bytes, content_type: "application/json" })
        })
    }

    fn presign(
        &self,
        reference: ArtifactRef,
        valid_for: Duration,
    ) -> BoxFuture<'_, Result<String, StoreError>> {
        Box::pin(async move {
            let (_, key) = reference.parts().unwrap();
            Ok(format!("https://artifacts.example/{key}?hours={}", valid_for.as_secs() / 3600))
        })
    }
}

impl Notify for Memory {
    fn send(&self, notification: Notification) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            effect("notification");
            self.state().notifications.push(notification);
            self.answered(()).map_err(|error| error.to_string())
        })
    }
}

impl Events for Memory {
    fn emit(&self, event: DomainEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            effect(format!("event {}", event.kind));
            let mut state = self.state();
            let is_known = state
                .events
                .iter()
                .any(|known| (&known.workflow_id, &known.kind) == (&event.workflow_id, &event.kind));
            if !is_known {
                state.events.push(event);
            }
            drop(state);
            self.answered(())
        })
    }

    fn of(&self, workflow_id: WorkflowId) -> BoxFuture<'_, Result<Vec<DomainEvent>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            Ok(state.events.iter().filter(|event| event.workflow_id == workflow_id).cloned().collect())
        })
    }
}
