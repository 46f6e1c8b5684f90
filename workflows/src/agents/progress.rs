//! What a task is doing right now, shared between the thread that does it and the one that reports it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::outcome::Stopped;

/// Asks blocking work to stop, as it can't be aborted.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// To be called between any two pieces of long work.
    pub(super) fn check(&self) -> Result<(), Stopped> {
        if self.0.load(Ordering::Relaxed) { Err(Stopped::Interrupted) } else { Ok(()) }
    }
}

/// What a task is doing right now. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) interrupt: Interrupt,
    stage: Arc<Mutex<&'static str>>,
    done: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
}

/// A reading of [`Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) stage: &'static str,
    pub(super) done: u64,
    pub(super) total: u64,
}

impl Progress {
    pub(super) fn new(interrupt: Interrupt) -> Self {
        Self {
            interrupt,
            stage: Arc::new(Mutex::new("waiting")),
            done: Arc::default(),
            total: Arc::default(),
        }
    }

    /// Begins a stage of `total` pieces; zero when they can't be counted.
    pub(super) fn begin(&self, stage: &'static str, total: u64) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// One more piece is done; stops the work when the agent is shutting down.
    pub(super) fn advance(&self) -> Result<(), Stopped> {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.interrupt.check()
    }

    pub(super) fn read(&self) -> Reading {
        Reading {
            stage: *self.stage.lock().unwrap_or_else(PoisonError::into_inner),
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }
}
