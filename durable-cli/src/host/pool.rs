//! A function's processes: started when they are needed, kept warm, replaced when they die or are outdated.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use durable_runtime::protocol::ErrorObject;
use tokio::sync::{Semaphore, mpsc};

use super::{
    Call, failure,
    instance::{Instance, RunError},
    runtime_api::Reply,
};
use crate::logs::LogStore;

/// How long [`Pool::stop`] waits for processes that were killed.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How often idle processes are looked at, at least.
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// How the processes of a function are run.
pub(super) struct ProcessSettings {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) directory: PathBuf,
    pub(super) handler: String,
    pub(super) memory: u32,
    pub(super) timeout: Duration,
    /// How long a process without an invocation is kept.
    pub(super) idle_timeout: Duration,
    pub(super) environment: BTreeMap<String, String>,
    /// Where our REST API is.
    pub(super) endpoint: SocketAddr,
    pub(super) region: String,
}

pub(super) struct Pool {
    pub(super) settings: ProcessSettings,
    logs: LogStore,
    slots: Semaphore,
    /// The process used last is used first, so that the others grow old.
    idle: Mutex<Vec<Idle>>,
    /// Processes of an earlier generation serve no further invocation.
    generation: AtomicU64,
    /// Every living process holds a clone; `None` once the pool has stopped.
    alive: Mutex<Option<mpsc::Sender<()>>>,
    /// Closes when all processes have ended.
    all_ended: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

struct Idle {
    instance: Instance,
    since: Instant,
}

impl Pool {
    pub(super) fn new(settings: ProcessSettings, concurrency: usize, logs: LogStore) -> Arc<Self> {
        let (alive, all_ended) = mpsc::channel(1);
        let idle_timeout = settings.idle_timeout;
        let pool = Arc::new(Self {
            settings,
            logs,
            slots: Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS)),
            idle: Mutex::default(),
            generation: AtomicU64::new(0),
            alive: Mutex::new(Some(alive)),
            all_ended: tokio::sync::Mutex::new(all_ended),
        });
        tokio::spawn(end_old(Arc::downgrade(&pool), idle_timeout));
        pool
    }

    pub(super) fn has_capacity(&self) -> bool {
        self.slots.available_permits() > 0
    }

    /// Runs one invocation in a warm process or in a new one. Dropped half-way, it kills the process.
    pub(super) async fn call(&self, call: Call) -> Reply {
        let Ok(_slot) = self.slots.acquire().await else { return Err(stopping()) };
        while let Some(warm) = self.take_idle() {
            // A process that dies idle is noticed late; that is no failure of this invocation.
            if let Ok(reply) = self.run(warm, call.clone()).await {
                return reply;
            }
        }
        let cold = self.start().await?;
        self.run(cold, call).await.unwrap_or_else(Err)
    }

    /// The reply, or why the process never took the invocation.
    async fn run(&self, instance: Instance, call: Call) -> Result<Reply, ErrorObject> {
        let reply = match instance.run(call).await {
            Ok(answer) => Ok(answer),
            Err(RunError::Failed(error)) => Err(error),
            Err(RunError::NotTaken(error)) => return Err(error),
        };
        self.give_back(instance);
        Ok(reply)
    }

    async fn start(&self) -> Result<Instance, ErrorObject> {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(stopping)?;
        let generation = self.generation.load(Ordering::Acquire);
        Instance::start(&self.settings, &self.logs, generation, alive)
            .await
            .map_err(|error| failure::not_started(&self.settings.program.display().to_string(), &error))
    }

    fn take_idle(&self) -> Option<Instance> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Idle { instance, .. }) = idle.pop() {
            if self.is_current(&instance) {
                return Some(instance);
            }
        }
        None
    }

    fn give_back(&self, instance: Instance) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that a restart sees this process either here or outdated.
        if self.is_current(&instance) {
            idle.push(Idle { instance, since: Instant::now() });
        }
    }

    /// The processes that have had no invocation for so long, or have died meanwhile.
    fn take_old(&self) -> Vec<Instance> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |idle: &mut Idle| {
            idle.since.elapsed() >= self.settings.idle_timeout || !self.is_current(&idle.instance)
        };
        idle.extract_if(.., old).map(|idle| idle.instance).collect()
    }

    fn is_current(&self, instance: &Instance) -> bool {
        instance.is_alive() && instance.generation == self.generation.load(Ordering::Acquire)
    }

    /// Replaces all processes: idle ones at once, busy ones at the end of their invocations.
    pub(super) async fn restart(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.end_idle().await;
    }

    async fn end_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for idle in idle {
            idle.instance.end().await;
        }
    }

    /// Ends all processes. No invocation may be running; what comes too late is refused.
    pub(super) async fn stop(&self) {
        self.slots.close();
        drop(self.alive.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.restart().await;
        let mut all_ended = self.all_ended.lock().await;
        // Nothing is ever sent: this is ready when the last sender is gone.
        if tokio::time::timeout(KILL_LIMIT, all_ended.recv()).await.is_err() {
            tracing::warn!(function = self.settings.name, "processes of the function are still running");
        }
    }
}

/// Ends processes that nobody needed for a while, as long as the pool exists.
async fn end_old(pool: Weak<Pool>, idle_timeout: Duration) {
    let interval = (idle_timeout / 2).clamp(Duration::from_millis(50), IDLE_CHECK);
    loop {
        tokio::time::sleep(interval).await;
        let Some(pool) = pool.upgrade() else { return };
        for instance in pool.take_old() {
            instance.end().await;
            tracing::debug!(function = pool.settings.name, "an idle process was ended");
        }
    }
}

fn stopping() -> ErrorObject {
    ErrorObject::new("ServiceException", "the server is stopping")
}
