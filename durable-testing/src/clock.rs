//! Virtual time: tokio's paused clock, which jumps to the next timer whenever nothing else can run.

use std::{future::Future, time::Duration};

use durable_runtime::{environment::Clock, protocol::Timestamp, service::BoxFuture};
use tokio::time::Instant;

/// Runs `test` on a runtime of its own in which time passes only when everything waits for it.
///
/// Steps that do real I/O do not fit in: while they wait for it, virtual time runs away.
///
/// # Panics
///
/// The runtime can't be made, or `test` panics.
pub fn virtual_time<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing that could be missing")
        .block_on(test)
}

/// The clock of a [`virtual_time`] runtime. It begins on 1 January 2026, midnight UTC.
#[derive(Clone, Copy, Debug)]
pub struct VirtualClock {
    origin: Instant,
}

const EPOCH: Timestamp = Timestamp::from_millis(1_767_225_600_000);

impl VirtualClock {
    /// A clock that begins now. Call it inside [`virtual_time`].
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// How much virtual time has passed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        EPOCH.after(self.elapsed())
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let deadline = self.origin + deadline.since(EPOCH);
        Box::pin(tokio::time::sleep_until(deadline))
    }
}
