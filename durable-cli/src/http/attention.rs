//! Stays awake for a connection's next request, as long as they come in quick succession.
//!
//! A function that runs step after step sends its next checkpoint a moment after the answer to the last one. A thread
//! that went to sleep in between, and the processor with it, would take a good part of that moment to wake up. So it
//! looks for a little while, and only for a connection on which it paid the last time, one in the whole process.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use tokio::task::yield_now;

/// How long to stay awake after an answer, and what is quick.
const WINDOW: Duration = Duration::from_micros(200);

/// Whether the next request of one connection is waited for awake.
#[derive(Debug)]
pub(super) struct Attention {
    state: Mutex<State>,
    /// Whether somebody is awake.
    is_taken: &'static AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// When the last request was answered, until the next one comes.
    answered_at: Option<Instant>,
    /// The last request came soon after the answer to the one before.
    is_quick: bool,
    turn: Option<Turn>,
}

impl Default for Attention {
    fn default() -> Self {
        static IS_TAKEN: AtomicBool = AtomicBool::new(false);
        Self::among(&IS_TAKEN)
    }
}

impl Attention {
    fn among(is_taken: &'static AtomicBool) -> Self {
        Self { state: Mutex::default(), is_taken }
    }

    /// A request came.
    pub(super) fn asked(&self, now: Instant) {
        let mut state = self.state();
        let pause = state.answered_at.take().map(|at| now.saturating_duration_since(at));
        state.is_quick = pause.is_some_and(|pause| pause < WINDOW);
        state.turn = None;
    }

    /// It is answered.
    pub(super) fn answered(&self, now: Instant) {
        self.state().answered_at = Some(now);
    }

    /// Whether to look for the next request instead of sleeping until it comes.
    fn is_due(&self, now: Instant) -> bool {
        let mut state = self.state();
        let may_come = state.answered_at.is_some_and(|at| now.saturating_duration_since(at) < WINDOW);
        if !(may_come && state.is_quick) {
            state.turn = None;
        } else if state.turn.is_none() {
            state.turn = Turn::take(self.is_taken);
        }
        state.turn.is_some()
    }

    /// Runs the connection.
    pub(super) async fn pay<C: Future>(&self, connection: C) -> C::Output {
        let mut connection = pin!(connection);
        poll_fn(|context| {
            let polled = connection.as_mut().poll(context);
            if polled.is_pending() && self.is_due(Instant::now()) {
                // Wakes us again as soon as the runtime has looked what came.
                let _: Poll<()> = pin!(yield_now()).poll(context);
            }
            polled
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to stay awake, which one connection has at a time. None has it on a single processor, which the function
/// needs.
#[derive(Debug)]
struct Turn(&'static AtomicBool);

static IS_PARALLEL: LazyLock<bool> =
    LazyLock::new(|| thread::available_parallelism().is_ok_and(|count| count.get() > 1));

impl Turn {
    fn take(is_taken: &'static AtomicBool) -> Option<Self> {
        (*IS_PARALLEL && !is_taken.swap(true, Ordering::Relaxed)).then_some(Self(is_taken))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_micros(50);

    /// A request that comes `pause` after the answer to the one before, and is answered at once.
    fn exchange(attention: &Attention, now: &mut Instant, pause: Duration) {
        *now += pause;
        attention.asked(*now);
        attention.answered(*now);
    }

    #[test]
    fn only_quick_successions_are_waited_for_awake_and_one_at_a_time() {
        static IS_TAKEN: AtomicBool = AtomicBool::new(false);
        let (attention, mut now) = (Attention::among(&IS_TAKEN), Instant::now());
        assert!(!attention.is_due(now), "nothing came yet");
        exchange(&attention, &mut now, SOON);
        assert!(!attention.is_due(now), "a first request says nothing");
        exchange(&attention, &mut now, 2 * WINDOW);
        assert!(!attention.is_due(now), "it took its time");
        exchange(&attention, &mut now, SOON);
        if *IS_PARALLEL {
            assert!(attention.is_due(now));
            let other = Attention::among(&IS_TAKEN);
            exchange(&other, &mut now, SOON);
            exchange(&other, &mut now, SOON);
            assert!(!other.is_due(now), "somebody else is awake");
            attention.asked(now);
            assert!(!attention.is_due(now), "a request is being answered");
            assert!(other.is_due(now));
            drop(other);
            attention.answered(now);
            assert!(attention.is_due(now + SOON));
            assert!(!attention.is_due(now + WINDOW), "it does not come");
            assert!(!IS_TAKEN.load(Ordering::Relaxed), "the turn was given back");
        }
    }

    #[tokio::test]
    async fn a_connection_runs_to_its_end() {
        let attention = Attention::default();
        let ended = attention.pay(async {
            for _ in 0..3 {
                attention.asked(Instant::now());
                attention.answered(Instant::now());
                tokio::time::sleep(SOON).await;
            }
            7
        });
        assert_eq!(ended.await, 7);
    }
}
