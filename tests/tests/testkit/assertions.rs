//! Assertions on a history, and their words when they do not hold.

use std::panic::{AssertUnwindSafe, catch_unwind};

use durable_runtime::prelude::*;
use durable_testing::{Answer, OperationHistory, RunHistory, TestEngine, virtual_time};

#[durable_step(retry(max_attempts = 2, initial_delay = "30s", jitter = none))]
async fn charge() -> Result<u32, Error> {
    if step_attempt() == Some(1) { Err(Error::new("busy")) } else { Ok(5) }
}

#[durable_execution]
async fn checkout() -> Result<u32, Error> {
    let receipt = charge().await?;
    wait(std::time::Duration::from_secs(3600)).named("cool down").await;
    let tip: u32 = callback("tip").create().await.result().await?;
    Ok(receipt + tip)
}

fn history() -> RunHistory {
    virtual_time(async {
        let test = TestEngine::new();
        test.on_callback("tip", |_| Answer::success(1).after("90s"));
        let run = test.start(checkout, ()).await;
        assert_eq!(run.result().await.unwrap(), 6);
        run.history().await
    })
}

fn refused(assertion: impl FnOnce(&RunHistory)) -> String {
    let history = history();
    let panic = catch_unwind(AssertUnwindSafe(|| assertion(&history))).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap()
}

#[test]
fn what_holds_is_silent() {
    let history = history();
    history
        .step("charge")
        .attempts(2)
        .succeeded()
        .returned(&5)
        .took("30s")
        .took_at_most("1m")
        .started_after("0s");
    assert_eq!(history.step("charge").result::<u32>(), 5);
    history.wait("cool down").succeeded().took("1h").started_after("30s");
    history.callback("tip").succeeded().returned(&1).took("90s");
    history.in_order(["charge", "cool down", "tip"]).never("refund").invocations(4).took("1h2m");
}

#[test]
fn what_does_not_hold_is_said_with_the_timeline() {
    let message = refused(|history| {
        history.step("charge").attempts(3);
    });
    assert!(message.starts_with("step `charge` had 2 attempts, not 3\n\n"), "{message}");
    let lines = [
        "+0:00:00.000  ExecutionStarted",
        "+0:00:00.000  StepFailed               charge, attempt 1: Error: busy",
        "+0:00:30.000  StepSucceeded            charge, attempt 2",
        "+1:00:30.000  WaitSucceeded            cool down",
        "+1:02:00.000  CallbackSucceeded        tip",
        "4 invocations, ",
    ];
    let mut rest = message.as_str();
    for line in lines {
        rest = rest.split_once(line).unwrap_or_else(|| panic!("`{line}` in order in:\n{message}")).1;
    }
}

fn also<'a>(history: &'a RunHistory, _: OperationHistory<'a>) -> &'a RunHistory {
    history
}

#[test]
fn each_assertion_has_its_words() {
    type Assertion = fn(&RunHistory) -> &RunHistory;
    let cases: [(&str, Assertion); 9] = [
        ("there is no step `refund`", |it| also(it, it.step("refund"))),
        ("step `charge` was to be Failed, and is Succeeded", |it| also(it, it.step("charge").failed())),
        ("step `charge` returned 5, not 6", |it| also(it, it.step("charge").returned(&6))),
        ("step `charge` took 30s, not 31s", |it| also(it, it.step("charge").took("31s"))),
        ("wait `cool down` took 3600s, which is more than 60s", |it| {
            also(it, it.wait("cool down").took_at_most("1m"))
        }),
        ("`tip` was to be begun before `charge`", |it| it.in_order(["tip", "charge"])),
        ("`tip` was never to be begun, and was 1 times", |it| it.never("tip")),
        ("expected 1 invocations, and there were 4", |it| it.invocations(1)),
        ("expected at most 1 checkpoint calls, and ", |it| it.checkpoint_calls_at_most(1)),
    ];
    for (words, assertion) in cases {
        let message = refused(|history| {
            assertion(history);
        });
        assert!(message.starts_with(words), "{words}: {message}");
    }
}
