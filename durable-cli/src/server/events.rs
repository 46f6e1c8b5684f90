//! Events of plain functions: accepted at once, run later, and again after a failure, as Lambda's asynchronous
//! invocation does. Events of durable functions are executions and need none of this.
//!
//! An event is a file in the data directory from before it is accepted until it has run: one that was accepted runs
//! whatever happens to this process, at least once.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use uuid::Uuid;

use super::{
    data,
    error::{ApiError, Exception},
};
use crate::{
    host::{HostedFunction, PlainCall},
    trace,
};

/// Events that wait or run; further ones are refused, as their payloads are in memory.
const MOST: usize = 1000;

/// The events that were accepted and have not run.
#[derive(Clone)]
pub(super) struct Events(Arc<Inner>);

struct Inner {
    /// `None` for a server that keeps nothing.
    folder: Option<PathBuf>,
    room: Arc<Semaphore>,
    stopping: AtomicBool,
    /// The server's: it accepts them on others.
    runtime: Handle,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    request_id: Uuid,
    function: String,
    payload: String,
    client_context: Option<String>,
    tenant: Option<String>,
    /// Absent in what an earlier version has kept.
    trace_header: Option<String>,
    /// Attempts that failed.
    failures: u32,
    due: Timestamp,
}

impl Events {
    pub(super) fn open(data: Option<&Path>) -> io::Result<Self> {
        let folder = data.map(|data| data.join("events"));
        if let Some(folder) = &folder {
            data::create_private(folder)?;
        }
        let room = Arc::new(Semaphore::new(MOST));
        let (stopping, runtime) = (AtomicBool::new(false), Handle::current());
        Ok(Self(Arc::new(Inner { folder, room, stopping, runtime })))
    }

    /// Accepts an event: from now on it is run, whatever happens to this process.
    pub(super) async fn accept(&self, function: HostedFunction, call: PlainCall) -> Result<(), ApiError> {
        let Ok(room) = Arc::clone(&self.0.room).try_acquire_owned() else {
            return Err(ApiError::new(
                Exception::TooManyRequests,
                format!("{MOST} events are waiting already"),
            ));
        };
        let payload = String::from_utf8(call.payload.into())
            .map_err(|error| ApiError::new(Exception::InvalidRequestContent, error.to_string()))?;
        let event = Event {
            request_id: call.request_id,
            function: function.name().to_owned(),
            payload,
            client_context: call.client_context,
            tenant: call.tenant,
            trace_header: Some(call.trace_header),
            failures: 0,
            due: SystemTime::now().into(),
        };
        self.keep(&event).await.map_err(|error| {
            ApiError::new(Exception::Service, format!("the event can't be kept: {error}"))
        })?;
        self.spawn(function, event, room);
        Ok(())
    }

    /// Goes on with the events that an earlier server accepted.
    pub(super) fn resume(&self, find: impl Fn(&str) -> Option<HostedFunction>) {
        let Some(folder) = &self.0.folder else { return };
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                // The beginning of one that was never accepted.
                let _ = fs::remove_file(&path);
                continue;
            }
            let event = fs::read(&path).and_then(|text| Ok(serde_json::from_slice::<Event>(&text)?));
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(path = %path.display(), error = ?error.kind(), "an event can't be read");
                    continue;
                }
            };
            let Some(function) = find(&event.function) else {
                tracing::warn!(function = event.function, "an event waits for a function that is not hosted");
                continue;
            };
            // More than there is room for only after a crash in the middle of a removal: all of them run.
            let Ok(room) = Arc::clone(&self.0.room).try_acquire_owned() else { return };
            self.spawn(function, event, room);
        }
    }

    /// Failures count no more: functions are being stopped.
    pub(super) fn stop(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    fn spawn(&self, function: HostedFunction, event: Event, room: OwnedSemaphorePermit) {
        let events = self.clone();
        self.0.runtime.spawn(async move {
            events.run(&function, event).await;
            drop(room);
        });
    }

    async fn run(&self, function: &HostedFunction, mut event: Event) {
        let retry = function.event_retry();
        loop {
            let wait = SystemTime::from(event.due).duration_since(SystemTime::now());
            // Past: at once.
            tokio::time::sleep(wait.unwrap_or_default()).await;
            let Err(error) = function.call_plain(event.call()).await else { break };
            if self.0.stopping.load(Ordering::Acquire) {
                return;
            }
            event.failures += 1;
            // Not the message, which may repeat the payload: the function's log is the place for it.
            let (request_id, error_type) = (event.request_id, error.kind().unwrap_or("Error").to_owned());
            if event.failures > retry.retries {
                tracing::warn!(
                    function = function.name(),
                    %request_id,
                    error_type,
                    attempts = event.failures,
                    "an event is dropped: its function failed each time"
                );
                break;
            }
            let delay = retry.delay(event.failures);
            tracing::info!(function = function.name(), %request_id, error_type, ?delay, "an event runs again");
            event.due = Timestamp::from(SystemTime::now()).after(delay);
            if let Err(error) = self.keep(&event).await {
                tracing::warn!(%error, "an event's failure was not kept: after a restart it counts as none");
            }
        }
        self.forget(event.request_id);
    }

    async fn keep(&self, event: &Event) -> io::Result<()> {
        let Some(folder) = self.0.folder.clone() else { return Ok(()) };
        let (text, id) = (serde_json::to_vec(event)?, event.request_id);
        let kept = tokio::task::spawn_blocking(move || write(&folder, id, &text)).await;
        kept.unwrap_or_else(|_| Err(io::Error::other("the write was interrupted")))
    }

    fn forget(&self, id: Uuid) {
        if let Some(folder) = &self.0.folder
            && let Err(error) = fs::remove_file(folder.join(file_name(id)))
        {
            tracing::warn!(%error, "an event that has run is still kept: it runs again after a restart");
        }
    }
}

impl Event {
    fn call(&self) -> PlainCall {
        PlainCall {
            request_id: self.request_id,
            payload: self.payload.clone().into(),
            client_context: self.client_context.clone(),
            tenant: self.tenant.clone(),
            trace_header: trace::header_or_new(self.trace_header.as_deref()),
        }
    }
}

fn file_name(id: Uuid) -> String {
    format!("{id}.json")
}

/// Durable when it returns, and whole whatever happens meanwhile.
fn write(folder: &Path, id: Uuid, text: &[u8]) -> io::Result<()> {
    let beginning = folder.join(format!("{id}.new"));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&beginning)?;
    file.write_all(text)?;
    file.sync_data()?;
    fs::rename(&beginning, folder.join(file_name(id)))?;
    File::open(folder)?.sync_all()
}

/// How often an event is tried again after a failure, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventRetry {
    pub(crate) retries: u32,
    pub(crate) first_delay: Duration,
}

impl EventRetry {
    /// After this many failures: Lambda waits one minute, then two.
    fn delay(self, failures: u32) -> Duration {
        self.first_delay.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
    }
}
