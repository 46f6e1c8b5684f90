//! Fakes of steps, scripted callbacks, functions that are closures.

use std::{fmt, time::Duration};

use durable_runtime::prelude::*;
use durable_testing::{Answer, TestEngine, effect, take_effects, virtual_time};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Receipt {
    number: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum PayError {
    Busy,
    Declined { reason: String },
}

impl fmt::Display for PayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[durable_step(retry(max_attempts = 4, initial_delay = "10s", backoff = 1, jitter = none))]
async fn charge(order: u32) -> Result<Receipt, PayError> {
    panic!("order {order} must not be charged in a test")
}

#[durable_step]
async fn count(words: String) -> usize {
    words.len()
}

#[durable_step]
async fn look(found: u32) -> Result<Condition<u32>, Error> {
    Ok(Condition::NotYet(found))
}

#[durable_execution]
async fn pay(order: u32) -> Result<Receipt, PayError> {
    charge(order).await
}

#[durable_execution]
async fn measure(words: String) -> Result<usize, Error> {
    Ok(count(words).await)
}

#[durable_execution]
async fn find() -> Result<u32, Error> {
    wait_for_condition(0, look).every("1s").await
}

#[test]
fn a_fakes_errors_are_retried_by_the_steps_own_policy() {
    virtual_time(async {
        let test = TestEngine::new();
        test.fake_step("charge", |step| match step.attempt {
            1 | 2 => Err(PayError::Busy),
            _ => Ok(Receipt { number: 3 }),
        });
        let run = test.start(pay, 1).await;
        assert_eq!(run.result().await.unwrap(), Receipt { number: 3 });
        run.history().await.step("charge").attempts(3).succeeded().took("20s");
    });
}

#[test]
fn a_fakes_last_error_is_the_steps_own() {
    virtual_time(async {
        let test = TestEngine::new();
        let declined = || PayError::Declined { reason: "too poor".to_owned() };
        test.fake_step("charge", move |_| Err::<Receipt, _>(declined()));
        let run = test.start(pay, 1).await;
        assert_eq!(run.output().await.unwrap(), Err(declined()));
        run.history().await.step("charge").attempts(4).failed_with("PayError");
    });
}

#[test]
fn a_fake_of_another_type_is_refused_with_both_types() {
    virtual_time(async {
        let test = TestEngine::new();
        test.fake_step("charge", |_| Ok::<_, Error>("a text"));
        let error = test.start(pay, 1).await.output().await.unwrap_err().to_string();
        for part in [
            "the fake of step `charge`",
            "Result<&str, durable_runtime::error::Error>",
            "Receipt",
            "PayError",
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
    });
}

#[test]
fn steps_without_errors_and_conditions_are_faked_too() {
    virtual_time(async {
        let test = TestEngine::new();
        test.fake_step("count", |_| Ok::<_, Error>(42_usize));
        assert_eq!(test.start(measure, "words".to_owned()).await.result().await.unwrap(), 42);
        test.fake_step("look", |step| {
            Ok::<_, Error>(if step.attempt < 3 { Condition::NotYet(1_u32) } else { Condition::Met(9) })
        });
        assert_eq!(test.start(find, ()).await.result().await.unwrap(), 9);
    });
}

#[test]
fn a_fake_takes_its_time_and_has_its_effects_inside_the_step() {
    let _before = take_effects();
    virtual_time(async {
        let test = TestEngine::new();
        test.fake_step_async("charge", async |step: durable_runtime::StepInfo| {
            tokio::time::sleep(Duration::from_secs(7)).await;
            effect("charged");
            Ok::<_, PayError>(Receipt { number: step.attempt })
        });
        let run = test.start(pay, 1).await;
        run.result().await.unwrap();
        let history = run.history().await;
        // The START lingers for a moment before it is sent.
        history.step("charge").took_at_most("7s");
        let id = history.step("charge").record().id.clone();
        assert_eq!(take_effects().first().and_then(|effect| effect.step.clone()), Some(id));
    });
}

#[durable_execution]
async fn approve() -> Result<Vec<u32>, Error> {
    let first: u32 = callback("approval").create().await.result().await?;
    let second: u32 = callback("approval").timeout("3h").create().await.result().await?;
    Ok(vec![first, second])
}

#[test]
fn callbacks_are_answered_by_number_and_later() {
    virtual_time(async {
        let test = TestEngine::new();
        test.on_callback("approval", |request| Answer::success(request.number * 10).after("2h"));
        let run = test.start(approve, ()).await;
        assert_eq!(run.result().await.unwrap(), [10, 20]);
        assert_eq!(test.elapsed(), Duration::from_secs(4 * 3600));
    });
}

#[test]
fn callbacks_fail_or_never_come() {
    virtual_time(async {
        let test = TestEngine::new();
        test.on_callback(
            "approval",
            |request| {
                if request.number == 1 { Answer::success(1) } else { Answer::never() }
            },
        );
        let run = test.start(approve, ()).await;
        run.result().await.unwrap_err();
        assert!(run.history().await.all("approval")[1].timed_out().record().end_timestamp.is_some());

        test.on_callback("approval", |_| Err::<u32, _>(Error::new("no")));
        let run = test.start(approve, ()).await;
        run.result().await.unwrap_err();
        run.history().await.callback("approval").failed();
    });
}

#[durable_execution]
async fn long_job() -> Result<u32, Error> {
    Ok(callback("job").heartbeat("10m").create().await.result().await?)
}

#[test]
fn heartbeats_keep_a_callback_alive() {
    let run = |answer: fn() -> Answer| {
        virtual_time(async {
            let test = TestEngine::new();
            test.on_callback("job", move |_| answer());
            test.start(long_job, ()).await.result().await.is_ok()
        })
    };
    assert!(run(|| Answer::success(1).after("5h").heartbeat("9m")));
    assert!(!run(|| Answer::success(1).after("5h")));
}

/// Goes on for a day after its callback has ended, if `stays`.
#[durable_execution]
async fn impatient(stays: bool) -> Result<bool, Error> {
    let answer = callback::<u32>("job").timeout("1h").create().await.result().await;
    if stays {
        wait("1d").await;
    }
    Ok(answer.is_ok())
}

/// They would be sent again for ever, and virtual time would stand still.
#[test]
fn an_answer_that_comes_too_late_is_given_up() {
    for stays in [true, false] {
        virtual_time(async {
            let test = TestEngine::new();
            test.on_callback("job", |_| Answer::success(1).after("2h").heartbeat("9m"));
            assert!(!test.start(impatient, stays).await.result().await.unwrap());
            tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
        });
    }
}

#[durable_execution]
async fn convert(currency: String) -> Result<u32, Error> {
    Ok(invoke::<_, u32>("rates", &currency).await?)
}

#[test]
fn invoked_functions_are_closures_of_their_input() {
    virtual_time(async {
        let test = TestEngine::new();
        test.on_invoke("rates", |currency: String| match currency.as_str() {
            "EUR" => Ok(110_u32),
            _ => Err(Error::new("unknown currency")),
        });
        assert_eq!(test.start(convert, "EUR".to_owned()).await.result().await.unwrap(), 110);
        let error = test.start(convert, "XXX".to_owned()).await.result().await.unwrap_err();
        assert!(error.to_string().contains("unknown currency"), "{error}");

        test.on_invoke("rates", |_: Vec<u8>| Answer::success(1));
        let error = test.start(convert, "EUR".to_owned()).await.result().await.unwrap_err();
        assert!(error.to_string().contains("takes a `alloc::vec::Vec<u8>`"), "{error}");
    });
}
