//! Where everything that may happen next waits for its turn.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use durable_runtime::protocol::Timestamp;
use tokio::sync::{Notify, oneshot};

/// Something that could happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// An attempt of a step.
    Step { name: String, attempt: u32 },
    /// The answer to a callback.
    Callback { name: String },
    /// The answer of an invoked function.
    Invoke { function: String },
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { name, attempt: 1 } => write!(f, "step `{name}`"),
            Self::Step { name, attempt } => write!(f, "step `{name}`, attempt {attempt}"),
            Self::Callback { name } => write!(f, "the answer to callback `{name}`"),
            Self::Invoke { function } => write!(f, "the answer of `{function}`"),
        }
    }
}

/// Who waits, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    waiting: Mutex<Vec<Waiting>>,
    /// When scripted answers come.
    timers: Mutex<BTreeSet<Timestamp>>,
    /// Rung at every arrival.
    pub(crate) arrived: Notify,
}

#[derive(Debug)]
struct Waiting {
    arrival: Arrival,
    open: oneshot::Sender<()>,
}

impl Gates {
    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its turn.
    pub(crate) async fn pass(&self, arrival: Arrival) {
        let (open, opened) = oneshot::channel();
        self.lock().push(Waiting { arrival, open });
        self.arrived.notify_one();
        // The sender is dropped only when the exploration ends.
        let _ = opened.await;
    }

    /// Says that something will arrive at `due`.
    pub(crate) fn expect(&self, due: Timestamp) {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner).insert(due);
    }

    /// When the next expected thing arrives.
    pub(crate) fn next_timer(&self, now: Timestamp) -> Option<Timestamp> {
        let timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        timers.iter().find(|due| **due > now).copied()
    }

    /// Who waits now. Those who were cancelled have left.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        let mut waiting = self.lock();
        waiting.retain(|waiting| !waiting.open.is_closed());
        waiting.iter().map(|waiting| waiting.arrival.clone()).collect()
    }

    /// Lets the one at this place in [`Self::arrivals`] go on.
    pub(crate) fn open(&self, index: usize) {
        let mut waiting = self.lock();
        if index < waiting.len() {
            let _ = waiting.remove(index).open.send(());
        }
    }
}
