//! The life of a task: accepted and stored, worked on, its outcome stored and delivered, forgotten.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::delivery::Delivery;
use super::embedded::Role;
use super::inbox::{Inbox, StoredTask, TaskKey};
use super::inputs::Inputs;
use super::llm::ChatModel;
use super::outcome::{FailureKind, Outcome, Stopped, failed};
use super::progress::{Interrupt, Progress};
use super::researcher::Researcher;
use super::{analyst, writer};
use crate::a2a::{Task, TaskKind, is_loopback};

/// How many delivered tasks are remembered, to recognise a dispatch whose answer got lost.
const REMEMBERED: usize = 1024;

/// What an agent does with a task.
#[derive(Debug)]
pub(super) enum Work {
    Research(Researcher),
    Analyze,
    Write { model: Option<ChatModel> },
}

impl Work {
    /// Does a task; its inputs that are references are fetched by `inputs`.
    pub(super) async fn run(
        &self,
        inputs: &Inputs,
        task: &Task,
        progress: &Progress,
    ) -> Result<serde_json::Value, Stopped> {
        let result = match self {
            Self::Research(researcher) => {
                let (researcher, task, progress) = (researcher.clone(), task.clone(), progress.clone());
                let result = blocking(move || researcher.research(&task, &progress)).await?;
                serde_json::to_value(result)
            }
            Self::Analyze => {
                let research = inputs.read("research", task.inputs.research.clone()).await?;
                let (task, progress) = (task.clone(), progress.clone());
                let analysis = blocking(move || analyst::analyze(&task, research, &progress)).await?;
                serde_json::to_value(analysis)
            }
            Self::Write { model } => {
                let analysis = inputs.read("analysis", task.inputs.analysis.clone()).await?;
                progress.begin("writing", 0);
                let report = match model {
                    Some(model) => writer::write_with_model(model, task, analysis).await?,
                    None => {
                        let task = task.clone();
                        blocking(move || writer::write(&task, &analysis).map_err(Stopped::from)).await?
                    }
                };
                serde_json::to_value(report)
            }
        };
        result.map_err(|error| failed(FailureKind::Internal, format!("the result is no JSON: {error}")))
    }
}

/// One agent: its tasks and the means to do them.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) role: Role,
    work: Work,
    inbox: Inbox,
    inputs: Inputs,
    delivery: Delivery,
    heartbeat_interval: Duration,
    slots: Semaphore,
    interrupt: Interrupt,
    tasks: Mutex<Tasks>,
    /// `None` once the agent has stopped. Behind a lock that `Drop` can take.
    running: std::sync::Mutex<Option<JoinSet<()>>>,
}

/// What a [`Worker`] is made of.
pub(super) struct WorkerParts {
    pub(super) role: Role,
    pub(super) work: Work,
    pub(super) inbox: Inbox,
    pub(super) delivery: Delivery,
    pub(super) heartbeat_interval: Duration,
    pub(super) concurrent_tasks: usize,
}

#[derive(Debug, Default)]
struct Tasks {
    in_hand: HashSet<TaskKey>,
    delivered: VecDeque<TaskKey>,
}

impl Worker {
    pub(super) fn new(parts: WorkerParts) -> Arc<Self> {
        Arc::new(Self {
            role: parts.role,
            work: parts.work,
            inbox: parts.inbox,
            inputs: Inputs::new(),
            delivery: parts.delivery,
            heartbeat_interval: parts.heartbeat_interval,
            slots: Semaphore::new(parts.concurrent_tasks.max(1)),
            interrupt: Interrupt::default(),
            tasks: Mutex::default(),
            running: std::sync::Mutex::new(Some(JoinSet::new())),
        })
    }

    /// The kind of task this agent takes.
    pub(super) fn kind(&self) -> TaskKind {
        match self.work {
            Work::Research(_) => TaskKind::Research,
            Work::Analyze => TaskKind::Analyze,
            Work::Write { .. } => TaskKind::Write,
        }
    }

    /// Stores `task` and begins to work on it. A task whose token is known already is the same task.
    ///
    /// The lock is held while the file is written: a second dispatch of the same task must not be told
    /// that it is safe before it is.
    pub(super) async fn accept(self: &Arc<Self>, task: Task) -> io::Result<()> {
        let key = TaskKey::of(&task);
        let mut tasks = self.tasks.lock().await;
        if self.running().is_none() {
            return Err(io::Error::other("the agent is shutting down"));
        }
        if tasks.in_hand.contains(&key) || tasks.delivered.contains(&key) {
            return Ok(());
        }
        let stored = StoredTask { task, outcome: None };
        self.save(&key, &stored).await?;
        self.begin(&mut tasks, key, stored);
        Ok(())
    }

    /// Takes up the tasks an earlier process left. Those that it was to answer on this machine are
    /// answered at `callback_url`, if given.
    pub(super) async fn resume(self: &Arc<Self>, callback_url: Option<&Url>) -> io::Result<()> {
        let inbox = self.inbox.clone();
        let left = tokio::task::spawn_blocking(move || inbox.load()).await.map_err(io::Error::other)??;
        let mut tasks = self.tasks.lock().await;
        for (key, mut stored) in left {
            if let Some(url) = callback_url
                && Url::parse(&stored.task.callback_url).is_ok_and(|old| is_loopback(&old))
            {
                stored.task.callback_url = url.to_string();
            }
            tracing::info!(task = %stored.task.id(), role = %self.role, "taking up an unfinished task");
            self.begin(&mut tasks, key, stored);
        }
        Ok(())
    }

    /// Stops working and waits for it. Unfinished tasks stay stored.
    pub(super) async fn stop(&self) {
        let running = self.running().take();
        self.interrupt.raise();
        if let Some(mut running) = running {
            running.shutdown().await;
        }
    }

    /// Stops working, without waiting.
    pub(super) fn abort(&self) {
        self.running().take();
        self.interrupt.raise();
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<JoinSet<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, tasks: &mut Tasks, key: TaskKey, stored: StoredTask) {
        let mut running = self.running();
        // Stopped since the caller looked: the task is stored, the next start takes it up.
        let Some(running) = running.as_mut() else { return };
        // Ended tasks leave their results behind until somebody asks.
        while running.try_join_next().is_some() {}
        tasks.in_hand.insert(key.clone());
        let worker = Arc::clone(self);
        running.spawn(async move { worker.run(key, stored).await });
    }

    async fn run(&self, key: TaskKey, mut stored: StoredTask) {
        let outcome = match stored.outcome.take() {
            Some(outcome) => outcome,
            None => {
                let outcome = match self.work_with_heartbeats(&stored.task).await {
                    Ok(result) => Outcome::Success { result },
                    Err(Stopped::Failed(error)) => {
                        tracing::warn!(task = %stored.task.id(), %error, "the task failed");
                        Outcome::Failure { error }
                    }
                    Err(Stopped::Interrupted) => return,
                };
                stored.outcome = Some(outcome.clone());
                if let Err(error) = self.save(&key, &stored).await {
                    // The work would be done again after a crash; no reason not to deliver it now.
                    tracing::warn!(task = %stored.task.id(), %error, "the outcome could not be stored");
                }
                outcome
            }
        };
        self.delivery.deliver(&stored.task, &outcome).await;

        let mut tasks = self.tasks.lock().await;
        if let Err(error) = self.inbox.remove(&key) {
            tracing::warn!(task = %stored.task.id(), %error, "an answered task could not be removed");
        }
        tasks.in_hand.remove(&key);
        tasks.delivered.push_back(key);
        if tasks.delivered.len() > REMEMBERED {
            tasks.delivered.pop_front();
        }
    }

    async fn work_with_heartbeats(&self, task: &Task) -> Result<serde_json::Value, Stopped> {
        let progress = Progress::new(self.interrupt.clone());
        let work = async {
            let _slot = self.slots.acquire().await.map_err(|_| Stopped::Interrupted)?;
            self.work.run(&self.inputs, task, &progress).await
        };
        tokio::pin!(work);
        let mut heartbeat = tokio::time::interval(self.heartbeat_interval.max(Duration::from_millis(10)));
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        heartbeat.tick().await;
        loop {
            tokio::select! {
                outcome = &mut work => return outcome,
                _ = heartbeat.tick() => {
                    // A receiver that doesn't answer must not hold up the work.
                    let beat = self.delivery.heartbeat(task, progress.read());
                    tokio::select! {
                        outcome = &mut work => return outcome,
                        () = beat => {}
                    }
                }
            }
        }
    }

    async fn save(&self, key: &TaskKey, stored: &StoredTask) -> io::Result<()> {
        let (inbox, key, stored) = (self.inbox.clone(), key.clone(), stored.clone());
        tokio::task::spawn_blocking(move || inbox.save(&key, &stored)).await.map_err(io::Error::other)?
    }
}

/// Runs CPU-heavy work beside the runtime. A panic in it fails the task, not the agent.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Stopped> + Send + 'static,
) -> Result<T, Stopped> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => {
            Err(failed(FailureKind::Internal, "the agent has a defect; its log says more"))
        }
        // The runtime is going away.
        Err(_) => Err(Stopped::Interrupted),
    }
}
