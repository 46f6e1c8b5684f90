//! Steps: results, errors, names, serdes, limits.

use std::{fmt, time::Duration};

use cross_tests::{
    journal::{note, take},
    runs::{finish, run, run_twice},
};
use durable_runtime::{
    prelude::*,
    protocol::{OperationStatus, OperationType},
    serdes::{Serdes, SerdesError},
};
use durable_testing::{TestEngine, virtual_time};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum PayError {
    Declined { limit: u32 },
    Unsure(Interrupted),
}

impl fmt::Display for PayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declined { limit } => write!(f, "over the limit of {limit}"),
            Self::Unsure(interrupted) => write!(f, "unsure: {interrupted}"),
        }
    }
}

impl From<Interrupted> for PayError {
    fn from(interrupted: Interrupted) -> Self {
        Self::Unsure(interrupted)
    }
}

#[durable_step(retry(none))]
async fn charge(cents: u32) -> Result<u32, PayError> {
    if cents > 100 { Err(PayError::Declined { limit: 100 }) } else { Ok(cents) }
}

/// Looks at its error before and after a suspension, which makes the second look a replay.
#[durable_execution]
async fn looks_twice(cents: u32) -> Result<Vec<String>, Error> {
    let charged = charge(cents).await;
    note(format!("{charged:?}"));
    wait(Duration::from_secs(1)).await;
    Ok(vec![format!("{charged:?}")])
}

#[test]
fn a_typed_error_is_the_same_on_the_first_run_and_on_replay() {
    for (cents, expected) in [(500, "Err(Declined { limit: 100 })"), (50, "Ok(50)")] {
        let ended = run(looks_twice, cents);
        assert_eq!(ended.notes, [expected, expected]);
        assert_eq!(ended.value(), [expected]);
    }
}

#[durable_execution]
async fn fails_by_its_own_error() -> Result<u32, PayError> {
    charge(500).await
}

#[test]
fn the_errors_type_message_and_data_are_recorded() {
    let ended = run(fails_by_its_own_error, ());
    let step = ended.named("charge");
    assert_eq!(step.status, OperationStatus::Failed);
    let error = step.step_details.as_ref().and_then(|step| step.error.clone()).unwrap();
    assert_eq!(error.kind(), Some("PayError"));
    assert_eq!(error.message(), "over the limit of 100");
    assert_eq!(error.error_data.as_deref(), Some(r#"{"Declined":{"limit":100}}"#));
    assert_eq!(ended.failure(), PayError::Declined { limit: 100 });
}

#[durable_step]
async fn plain(n: u32) -> Option<u32> {
    n.checked_sub(1)
}

#[durable_step]
async fn unit() {
    note("unit");
}

#[durable_execution]
async fn uses_plain_steps() -> Vec<Option<u32>> {
    unit().await;
    let some = plain(1).await;
    wait(Duration::from_secs(1)).await;
    let none = plain(0).await;
    vec![some, none]
}

#[test]
fn a_step_that_gives_no_result_is_recorded_as_a_success() {
    let ended = run(uses_plain_steps, ());
    assert!(ended.of_type(OperationType::Step).iter().all(|step| step.status == OperationStatus::Succeeded));
    assert_eq!(ended.noted("unit"), 1);
    assert_eq!(ended.output.unwrap(), [Some(0), None]);
}

#[durable_step(name = "charge the card")]
async fn renamed() -> Result<(), Error> {
    Ok(())
}

#[durable_execution]
async fn names(order: u32) -> Result<(), Error> {
    renamed().await?;
    renamed().named(format!("charge {order}")).await?;
    step!("in place", { Ok::<_, Error>(()) }).await
}

#[test]
fn a_step_is_named_by_its_function_its_attribute_or_its_call() {
    let ended = run(names, 7);
    let names: Vec<_> = ended.operations.iter().filter_map(|operation| operation.name.as_deref()).collect();
    assert_eq!(names, ["charge the card", "charge 7", "in place"]);
}

#[durable_execution]
async fn badly_named() -> Result<(), Error> {
    renamed().named("caffè").await
}

#[test]
fn a_name_that_the_service_would_refuse_fails_the_execution_before_anything_is_sent() {
    let ended = run(badly_named, ());
    assert_eq!(ended.error().kind(), Some("InvalidOperationName"));
    assert!(ended.error().message().contains("caffè"), "{}", ended.error());
    assert_eq!(ended.checkpoint_calls, 0);
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Celsius(f64);

/// Keeps whole degrees only, so that nobody can miss whether it was used.
struct WholeDegrees;

impl Serdes<Celsius> for WholeDegrees {
    fn serialize(value: &Celsius) -> Result<String, SerdesError> {
        Ok(format!("{}°", value.0.round()))
    }

    fn deserialize(text: &str) -> Result<Celsius, SerdesError> {
        let degrees =
            text.strip_suffix('°').ok_or_else(|| SerdesError(format!("`{text}` has no degrees")))?;
        degrees.parse().map(Celsius).map_err(|error| SerdesError(format!("{error}")))
    }
}

#[durable_step(serdes = WholeDegrees)]
async fn measure() -> Result<Celsius, Error> {
    Ok(Celsius(21.4))
}

#[durable_execution]
async fn measures() -> Result<Celsius, Error> {
    let first = measure().await?;
    note(format!("{first:?}"));
    wait(Duration::from_secs(1)).await;
    Ok(first)
}

#[test]
fn the_workflow_sees_what_its_serdes_reads_back_on_the_first_run_too() {
    let ended = run(measures, ());
    assert_eq!(ended.notes, ["Celsius(21.0)", "Celsius(21.0)"]);
    let stored = ended.named("measure").step_details.as_ref().and_then(|step| step.result.clone()).unwrap();
    assert_eq!(stored.as_str(), "21°");
}

#[durable_step]
async fn make(bytes: usize) -> Result<String, Error> {
    Ok("x".repeat(bytes))
}

#[durable_execution]
async fn large_result(bytes: usize) -> Result<usize, Error> {
    Ok(make(bytes).await?.len())
}

#[test]
fn a_result_up_to_the_services_limit_is_stored() {
    assert_eq!(run(large_result, 1024 * 1024 - 2).value(), 1024 * 1024 - 2);
}

#[test]
fn a_result_over_the_services_limit_fails_the_execution_with_the_steps_name() {
    let ended = run(large_result, 1024 * 1024);
    assert_eq!(ended.error().kind(), Some("PayloadTooLarge"));
    assert!(ended.error().message().contains("`make`"), "{}", ended.error());
}

#[durable_step(at_most_once)]
async fn ship(order: u32) -> Result<u32, PayError> {
    note("shipped");
    tokio::time::sleep(Duration::from_secs(30)).await;
    Ok(order)
}

#[durable_execution]
async fn ships(order: u32) -> Result<u32, PayError> {
    ship(order).await
}

#[test]
fn an_at_most_once_step_that_a_crash_cut_off_reports_the_interruption_and_is_not_repeated() {
    virtual_time(async {
        let test = TestEngine::new();
        let run = test.start(ships, 7).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        test.kill().await;
        test.revive();
        let ended = finish(&test, &run).await;
        assert_eq!(ended.notes, ["shipped"]);
        let PayError::Unsure(interrupted) = ended.failure() else { panic!("not the interruption") };
        assert_eq!((interrupted.step.as_str(), interrupted.attempt), ("ship", 1));
        assert_eq!(interrupted.reason, durable_runtime::Interruption::ProcessEnded);
    });
}

#[durable_step]
async fn at_least_once(order: u32) -> Result<u32, Error> {
    note(format!("attempt {:?}", step_attempt()));
    tokio::time::sleep(Duration::from_secs(30)).await;
    Ok(order)
}

#[durable_execution]
async fn repeats(order: u32) -> Result<u32, Error> {
    at_least_once(order).await
}

#[test]
fn an_at_least_once_step_that_a_crash_cut_off_is_the_same_attempt_again() {
    virtual_time(async {
        let test = TestEngine::new();
        let run = test.start(repeats, 7).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        test.kill().await;
        test.revive();
        let ended = finish(&test, &run).await;
        assert_eq!(ended.notes, ["attempt Some(1)", "attempt Some(1)"]);
        assert_eq!(ended.elapsed, Duration::from_secs(40));
        assert_eq!(ended.value(), 7);
    });
}

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none))]
async fn pay(order: u32) -> Result<String, Error> {
    let step = current_step().ok_or_else(|| Error::new("not in a step"))?;
    note(step.idempotency_key());
    if step.attempt < 3 { Err(Error::new("busy")) } else { Ok(format!("{order} {}", step.name)) }
}

#[durable_execution]
async fn pays() -> Result<Vec<String>, Error> {
    Ok(vec![pay(1).await?, pay(2).await?])
}

#[test]
fn the_idempotency_key_is_the_same_in_each_attempt_and_another_for_each_step_and_execution() {
    let (first, second) = run_twice(pays);
    let key = |notes: &[String], range: std::ops::Range<usize>| {
        let keys: std::collections::BTreeSet<_> = notes[range].iter().cloned().collect();
        assert_eq!(keys.len(), 1, "{notes:?}");
        keys.into_iter().next().unwrap()
    };
    let mut all = std::collections::BTreeSet::new();
    for notes in [&first.notes, &second.notes] {
        assert_eq!(notes.len(), 6);
        all.extend([key(notes, 0..3), key(notes, 3..6)]);
    }
    assert_eq!(all.len(), 4);
    assert_eq!(first.value(), ["1 pay", "2 pay"]);
}

#[durable_execution]
async fn is_no_step() -> Result<(bool, bool), Error> {
    Ok((current_step().is_none(), execution_arn().is_some()))
}

#[test]
fn durable_code_is_in_no_step_and_knows_its_execution() {
    assert_eq!(run(is_no_step, ()).value(), (true, true));
    assert!(current_step().is_none() && execution_arn().is_none());
}

#[test]
fn the_body_of_a_step_runs_alone_without_recording_anything() {
    virtual_time(async {
        assert_eq!(charge(500).run_unrecorded().await, Err(PayError::Declined { limit: 100 }));
        unit().run_unrecorded().await;
        assert_eq!(take(), ["unit"]);
    });
}

mod before {
    use super::*;

    #[durable_step(name = "answer")]
    async fn answer() -> Result<String, Error> {
        Ok("many".into())
    }

    #[durable_execution(name = "retyped")]
    pub(super) async fn retyped() -> Result<u32, Error> {
        let answer = answer().await?;
        wait(Duration::from_secs(60)).await;
        Ok(answer.len() as u32)
    }
}

mod after {
    use super::*;

    #[durable_step(name = "answer")]
    async fn answer() -> Result<u32, Error> {
        Ok(4)
    }

    #[durable_execution(name = "retyped")]
    pub(super) async fn retyped() -> Result<u32, Error> {
        let answer = answer().await;
        // A stored value that no longer fits is no error of the step: this code never sees it.
        note(format!("{answer:?}"));
        wait(Duration::from_secs(60)).await;
        answer
    }
}

#[test]
fn a_stored_value_that_no_longer_fits_its_type_ends_the_execution_with_both_sides() {
    virtual_time(async {
        let test = TestEngine::new();
        let run = test.start(before::retyped, ()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        test.kill().await;
        test.register(after::retyped);
        test.revive();
        let ended = finish(&test, &run).await;
        let error = ended.error();
        assert_eq!(error.kind(), Some("StepError"));
        for part in ["`answer`", "\"many\"", "u32"] {
            assert!(error.message().contains(part), "{part} in {error}");
        }
        assert_eq!(ended.notes, [] as [&str; 0]);
    });
}
