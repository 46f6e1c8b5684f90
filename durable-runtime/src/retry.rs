//! When to try again, and how long to wait before: pure arithmetic, jitter passed in.

use std::time::Duration;

use crate::protocol::{ErrorObject, limits};

/// How often a step is tried, and how long it waits in between.
///
/// The delay before attempt `n + 1` is `min(initial_delay × backoff^(n - 1), max_delay)`, then jitter,
/// rounded up to whole seconds and at least one: what the service can do.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included. 1 never retries.
    pub max_attempts: u32,
    /// The delay after the first failed attempt, before jitter.
    pub initial_delay: Duration,
    /// What the delay is multiplied with after each further attempt.
    pub backoff: f64,
    /// The longest delay, before jitter.
    pub max_delay: Duration,
    /// How the delay is spread.
    pub jitter: Jitter,
    /// Says whether an error is worth another attempt; `None` retries every error.
    pub retry_if: Option<fn(&ErrorObject) -> bool>,
}

/// How a delay is spread, so that many executions do not retry in the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// The delay as computed.
    None,
    /// Between half the delay and all of it.
    Half,
    /// Between nothing and the delay.
    Full,
}

impl RetryPolicy {
    /// AWS's policy for a step that names none: 6 attempts, 5 s doubling up to 60 s, full jitter.
    pub const AWS_DEFAULT: Self = Self {
        max_attempts: 6,
        initial_delay: Duration::from_secs(5),
        backoff: 2.0,
        max_delay: Duration::from_secs(60),
        jitter: Jitter::Full,
        retry_if: None,
    };

    /// One attempt.
    pub const NONE: Self = Self { max_attempts: 1, ..Self::AWS_DEFAULT };

    /// What `retry(..)` starts from: 3 attempts, 5 s doubling up to 5 minutes, full jitter.
    pub const DEFAULT: Self =
        Self { max_attempts: 3, max_delay: Duration::from_secs(300), ..Self::AWS_DEFAULT };

    /// The delay before the next attempt in seconds, or `None` when `attempt` (counted from 1) was the last.
    ///
    /// `random` is in `0.0..1.0`.
    pub(crate) fn next_delay(&self, error: &ErrorObject, attempt: u32, random: f64) -> Option<u64> {
        let wanted = attempt < self.max_attempts && self.retry_if.is_none_or(|wanted| wanted(error));
        wanted.then(|| self.delay(attempt, random))
    }

    /// The delay after `attempt` in whole seconds.
    pub(crate) fn delay(&self, attempt: u32, random: f64) -> u64 {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let base = (self.initial_delay.as_secs_f64() * self.backoff.powi(exponent))
            .min(self.max_delay.as_secs_f64());
        let spread = match self.jitter {
            Jitter::None => base,
            Jitter::Half => base / 2.0 + random * base / 2.0,
            Jitter::Full => random * base,
        };
        whole_seconds(spread)
    }
}

/// Rounds up to what the service can do: whole seconds, 1 to 366 days.
fn whole_seconds(seconds: f64) -> u64 {
    // The cast saturates, and NaN becomes zero, which the clamp lifts.
    (seconds.ceil() as u64).clamp(limits::MIN_WAIT_SECONDS, limits::MAX_WAIT_SECONDS)
}

/// A duration in the service's whole seconds, rounded up.
pub(crate) fn seconds_ceil(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit_and_never_fall_below_a_second() {
        let policy = RetryPolicy { jitter: Jitter::None, ..RetryPolicy::AWS_DEFAULT };
        let delays: Vec<u64> = (1..=5).map(|attempt| policy.delay(attempt, 0.0)).collect();
        assert_eq!(delays, [5, 10, 20, 40, 60]);
        assert_eq!(RetryPolicy::AWS_DEFAULT.delay(1, 0.0), 1);
        assert_eq!(RetryPolicy { jitter: Jitter::Half, ..policy }.delay(2, 0.5), 8);
        assert_eq!(RetryPolicy { backoff: f64::NAN, ..policy }.delay(3, 0.5), 60);
    }

    #[test]
    fn the_last_attempt_and_unwanted_errors_are_not_retried() {
        let transient = ErrorObject::new("Transient", "again");
        let policy = RetryPolicy {
            max_attempts: 2,
            retry_if: Some(|error| error.kind() == Some("Transient")),
            ..RetryPolicy::AWS_DEFAULT
        };
        assert!(policy.next_delay(&transient, 1, 0.5).is_some());
        assert_eq!(policy.next_delay(&transient, 2, 0.5), None);
        assert_eq!(policy.next_delay(&ErrorObject::new("Fatal", "no"), 1, 0.5), None);
    }
}
