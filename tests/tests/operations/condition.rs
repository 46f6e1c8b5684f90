//! Conditions: checked again and again.

use std::{fmt, time::Duration};

use cross_tests::{journal::note, runs::run};
use durable_runtime::{prelude::*, protocol::OperationType};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum BuildError {
    Broken { at: u32 },
    GaveUp { attempts: u32 },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl From<ConditionExhausted> for BuildError {
    fn from(exhausted: ConditionExhausted) -> Self {
        Self::GaveUp { attempts: exhausted.attempts }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Progress {
    seen: Vec<u32>,
    wanted: usize,
    breaks_at: Option<u32>,
}

fn wanting(wanted: usize) -> Progress {
    Progress { seen: Vec::new(), wanted, breaks_at: None }
}

#[durable_step]
async fn look(mut progress: Progress) -> Result<Condition<Progress>, BuildError> {
    let attempt = step_attempt().unwrap_or_default();
    note(format!("look {attempt}"));
    if progress.breaks_at == Some(attempt) {
        return Err(BuildError::Broken { at: attempt });
    }
    if progress.seen.len() == progress.wanted {
        return Ok(Condition::Met(progress));
    }
    progress.seen.push(attempt);
    Ok(Condition::NotYet(progress))
}

#[durable_execution]
async fn built(progress: Progress) -> Result<Vec<u32>, BuildError> {
    let progress = wait_for_condition(progress, look).every("30s").max_attempts(5).await?;
    wait(Duration::from_secs(1)).await;
    Ok(progress.seen)
}

#[test]
fn a_condition_that_is_met_at_once_takes_no_time() {
    let ended = run(built, wanting(0));
    assert_eq!(
        (ended.notes.as_slice(), ended.elapsed),
        (["look 1".to_owned()].as_slice(), Duration::from_secs(1))
    );
    assert_eq!(ended.value(), [] as [u32; 0]);
}

#[test]
fn a_condition_keeps_its_state_through_suspensions() {
    let ended = run(built, wanting(3));
    assert_eq!(ended.notes, ["look 1", "look 2", "look 3", "look 4"]);
    assert_eq!((ended.elapsed, ended.invocations), (Duration::from_secs(3 * 30 + 1), 5));
    let step = ended.of_type(OperationType::Step)[0];
    assert_eq!((step.name.as_deref(), step.sub_type.as_deref()), (Some("look"), Some("WaitForCondition")));
    assert_eq!(ended.value(), [1, 2, 3]);
}

#[test]
fn a_condition_that_is_never_met_gives_up_with_the_callers_error() {
    let ended = run(built, wanting(99));
    assert_eq!((ended.notes.len(), ended.elapsed), (5, Duration::from_secs(4 * 30)));
    assert_eq!(ended.failure(), BuildError::GaveUp { attempts: 5 });
}

#[test]
fn an_error_of_the_check_is_final() {
    let ended = run(built, Progress { breaks_at: Some(2), ..wanting(99) });
    assert_eq!(ended.notes, ["look 1", "look 2"]);
    assert_eq!(ended.failure(), BuildError::Broken { at: 2 });
}

const DOUBLING: RetryPolicy = RetryPolicy {
    max_attempts: 4,
    initial_delay: Duration::from_secs(10),
    backoff: 2.0,
    jitter: Jitter::None,
    ..RetryPolicy::DEFAULT
};

#[durable_execution]
async fn built_with_backoff(progress: Progress) -> Result<usize, BuildError> {
    Ok(wait_for_condition(progress, look).backoff(DOUBLING).named("the build").await?.seen.len())
}

#[test]
fn a_policy_makes_the_delays_grow() {
    let ended = run(built_with_backoff, wanting(3));
    assert_eq!(ended.elapsed, Duration::from_secs(10 + 20 + 40));
    assert_eq!(ended.named("the build").operation_type, OperationType::Step);
    assert_eq!(ended.value(), 3);
}

#[test]
fn a_policy_limits_the_checks() {
    assert_eq!(run(built_with_backoff, wanting(9)).failure(), BuildError::GaveUp { attempts: 4 });
}

#[durable_execution]
async fn built_by_strategy(progress: Progress) -> Result<usize, BuildError> {
    let next = |progress: &Progress, attempt: u32| {
        (attempt < 3).then(|| Duration::from_secs(100 + progress.seen.len() as u64))
    };
    Ok(wait_for_condition(progress, look).strategy(next).await?.seen.len())
}

#[test]
fn a_strategy_sees_the_state_and_may_give_up() {
    let ended = run(built_by_strategy, wanting(9));
    assert_eq!(ended.elapsed, Duration::from_secs(101 + 102));
    assert_eq!(ended.failure(), BuildError::GaveUp { attempts: 3 });
}

#[durable_step]
async fn falls_over(_: u32) -> Result<Condition<u32>, BuildError> {
    panic!("on the face")
}

#[durable_execution]
async fn checks_by_panic() -> Result<u32, BuildError> {
    wait_for_condition(0, falls_over).await
}

#[test]
fn a_panic_of_the_check_fails_the_execution() {
    let ended = run(checks_by_panic, ());
    assert!(ended.error().message().contains("on the face"), "{}", ended.error());
}

#[durable_execution]
async fn wrong_interval() -> Result<u32, BuildError> {
    wait_for_condition(0, falls_over).every(String::from("often")).await
}

#[test]
fn an_interval_that_is_no_duration_fails_the_execution() {
    let ended = run(wrong_interval, ());
    assert_eq!(ended.error().kind(), Some("WaitForConditionError"));
    assert!(ended.error().message().contains("`often`"), "{}", ended.error());
}
