//! A service and a network that misbehave, by a seed.

mod inject;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use durable_runtime::{IntoDuration, service::ServiceError};

use crate::{answer::duration, between::Between, random::Random};

/// Invocations of one execution that may fail in a row: below the number at which the service gives up.
const FAILURES_IN_A_ROW: u32 = 3;

/// Faults between an invocation and its service, drawn from a seed: the same seed brings the same faults.
///
/// Each kind has a rate in per cent: of the checkpoint calls, or of the invocations. Faults that end an
/// invocation never come so often in a row that the service would give the execution up.
///
/// ```
/// use durable_runtime::prelude::*;
/// use durable_testing::{Faults, TestEngine, virtual_time};
///
/// #[durable_step]
/// async fn add(left: u32, right: u32) -> Result<u32, Error> {
///     Ok(left + right)
/// }
///
/// #[durable_execution]
/// async fn sum() -> Result<u32, Error> {
///     let mut sum = 0;
///     for n in 1..=4 {
///         sum = add(sum, n).await?;
///     }
///     Ok(sum)
/// }
///
/// for seed in 0..20 {
///     let faults = Faults::seeded(seed).everything(15);
///     virtual_time(async {
///         let test = TestEngine::with_faults(&faults);
///         let result = test.start(sum, ()).await.result().await;
///         assert_eq!(result.unwrap(), 10, "{faults:?}");
///     });
/// }
/// ```
#[derive(Clone)]
#[must_use = "faults happen to an engine that is made with them"]
pub struct Faults {
    seed: u64,
    rates: Rates,
    longest_commit: Duration,
    farthest_jump: Duration,
    state: Arc<Mutex<State>>,
}

/// In per cent.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    throttling: u8,
    server_errors: u8,
    stale_tokens: u8,
    lost_answers: u8,
    duplicated_calls: u8,
    duplicated_invocations: u8,
    slow_commits: u8,
    clock_jumps: u8,
}

struct State {
    random: Random,
    injected: Vec<String>,
    /// Failed invocations in a row, by execution.
    failures: BTreeMap<String, u32>,
    /// By how much the clock of the invocations is wrong, in milliseconds.
    skew: i64,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let injected = self.injected();
        f.debug_struct("Faults")
            .field("seed", &self.seed)
            .field("injected", &injected)
            .finish_non_exhaustive()
    }
}

impl Faults {
    /// No faults yet; those that are added are drawn from `seed`.
    pub fn seeded(seed: u64) -> Self {
        let state =
            State { random: Random::new(seed), injected: Vec::new(), failures: BTreeMap::new(), skew: 0 };
        Self {
            seed,
            rates: Rates::default(),
            longest_commit: Duration::ZERO,
            farthest_jump: Duration::ZERO,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Every kind of fault at this rate: commits take up to 5 s, clocks jump by up to a minute.
    pub fn everything(self, per_cent: u8) -> Self {
        self.throttling(per_cent)
            .server_errors(per_cent)
            .stale_tokens(per_cent)
            .lost_answers(per_cent)
            .duplicated_calls(per_cent)
            .duplicated_invocations(per_cent)
            .slow_commits(per_cent, "5s")
            .clock_jumps(per_cent, "1m")
    }

    /// Checkpoint calls that are refused because there are too many.
    pub fn throttling(mut self, per_cent: u8) -> Self {
        self.rates.throttling = per_cent;
        self
    }

    /// Checkpoint calls that the service fails to handle (5xx), before the commit.
    pub fn server_errors(mut self, per_cent: u8) -> Self {
        self.rates.server_errors = per_cent;
        self
    }

    /// Checkpoint calls that are refused because another invocation is said to have taken over.
    pub fn stale_tokens(mut self, per_cent: u8) -> Self {
        self.rates.stale_tokens = per_cent;
        self
    }

    /// Checkpoint calls that are committed, and whose answer never arrives.
    pub fn lost_answers(mut self, per_cent: u8) -> Self {
        self.rates.lost_answers = per_cent;
        self
    }

    /// Checkpoint calls that reach the service twice.
    pub fn duplicated_calls(mut self, per_cent: u8) -> Self {
        self.rates.duplicated_calls = per_cent;
        self
    }

    /// Invocations that are delivered twice and run side by side. Steps run at least once, so the effect of a
    /// step without `at_most_once` may come twice.
    pub fn duplicated_invocations(mut self, per_cent: u8) -> Self {
        self.rates.duplicated_invocations = per_cent;
        self
    }

    /// Checkpoint calls that take up to `longest`.
    ///
    /// # Panics
    ///
    /// `longest` is no duration.
    pub fn slow_commits(mut self, per_cent: u8, longest: impl IntoDuration) -> Self {
        self.rates.slow_commits = per_cent;
        self.longest_commit = duration(longest);
        self
    }

    /// Checkpoint calls and invocations after which the clock of the process is another one: up to `farthest`
    /// before or behind the service's.
    ///
    /// # Panics
    ///
    /// `farthest` is no duration.
    pub fn clock_jumps(mut self, per_cent: u8, farthest: impl IntoDuration) -> Self {
        self.rates.clock_jumps = per_cent;
        self.farthest_jump = duration(farthest);
        self
    }

    /// What was done so far, in order.
    #[must_use]
    pub fn injected(&self) -> Vec<String> {
        self.lock().injected.clone()
    }

    pub(crate) fn between(&self) -> Arc<dyn Between> {
        Arc::new(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock, perhaps.
    fn jump(&self, state: &mut State) {
        if state.happens(self.rates.clock_jumps) {
            let farthest = millis(self.farthest_jump);
            let skew = state.random.below(2 * farthest + 1) as i64 - farthest as i64;
            state.skew = skew;
            state.injected.push(format!("clock jumps to {skew} ms"));
        }
    }

    /// What happens to the next checkpoint call of this execution.
    fn draw(&self, arn: &str) -> CallFaults {
        let mut state = self.lock();
        let state = &mut *state;
        self.jump(state);
        let rates = self.rates;
        let delay = if state.happens(rates.slow_commits) {
            Duration::from_millis(state.random.below(millis(self.longest_commit) + 1))
        } else {
            Duration::ZERO
        };
        if !delay.is_zero() {
            state.injected.push(format!("commit takes {delay:?}"));
        }
        let twice = state.happens(rates.duplicated_calls);
        let throttled = state.happens(rates.throttling);
        let failed = state.happens(rates.server_errors);
        let stale = state.happens(rates.stale_tokens);
        let lost = state.happens(rates.lost_answers);
        let spared = state.failures.get(arn).is_some_and(|failures| *failures >= FAILURES_IN_A_ROW);
        let refusal = if spared {
            None
        } else if throttled {
            Some(ServiceError::transient("TooManyRequestsException", "Rate exceeded"))
        } else if failed {
            Some(ServiceError::transient("ServiceException", "Internal error"))
        } else if stale {
            Some(ServiceError::transient("InvalidParameterValueException", "Invalid checkpoint token"))
        } else {
            None
        };
        if let Some(refusal) = &refusal {
            state.injected.push(format!("call refused: {refusal}"));
            return CallFaults { delay, refusal: Some(refusal.clone()), twice: false, lost: false };
        }
        let lost = lost && !spared;
        if twice {
            state.injected.push("call reaches the service twice".to_owned());
        }
        if lost {
            state.injected.push("answer lost".to_owned());
        }
        CallFaults { delay, refusal: None, twice, lost }
    }
}

impl State {
    fn happens(&mut self, per_cent: u8) -> bool {
        // Drawn even for a rate of 0, so that other kinds come at the same places whatever this rate is.
        self.random.below(100) < u64::from(per_cent)
    }
}

struct CallFaults {
    delay: Duration,
    refusal: Option<ServiceError>,
    twice: bool,
    lost: bool,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX >> 2).min(u64::MAX >> 2)
}
