//! Callbacks and invoked functions: what comes from outside arrives through crashes too.

use std::time::Duration;

use durable_runtime::{ErrorObject, prelude::*};
use durable_testing::{CrashEverywhere, effect};

#[durable_step]
async fn act(label: String) -> Result<usize, Error> {
    effect(label.clone());
    Ok(label.len())
}

#[durable_execution]
async fn asks_twice() -> Result<u32, Error> {
    let first = callback::<u32>("first").create().await;
    let second = callback::<u32>("second").create().await;
    act("asked".into()).await?;
    let second = second.result().await?;
    let first = first.result().await?;
    act("answered".into()).await?;
    Ok(first * 10 + second)
}

#[test]
fn callbacks() {
    let report = CrashEverywhere::new(asks_twice, || ())
        .world(|world| async move {
            world.complete("first", &4).await;
            tokio::time::sleep(Duration::from_secs(10)).await;
            world.complete("second", &2).await;
        })
        .run();
    assert_eq!(report.result, "Ok(42)");
}

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none))]
async fn hand_out(id: CallbackId) -> Result<(), Error> {
    effect("handed out");
    if step_attempt() == Some(1) || id.as_str().is_empty() { Err(Error::new("no line")) } else { Ok(()) }
}

#[durable_execution]
async fn submits() -> Result<String, Error> {
    let answer: String = callback("answer").timeout("1h").submit(hand_out).await?;
    let refused = callback::<String>("refused").create().await.result().await;
    let late = callback::<String>("late").timeout("60s").create().await.result().await;
    act("done".into()).await?;
    Ok(format!("{answer} {refused:?} {late:?}"))
}

#[test]
fn callbacks_that_are_submitted_fail_and_time_out() {
    let report = CrashEverywhere::new(submits, || ())
        .world(|world| async move {
            world.complete("answer", &"yes").await;
            world.fail("refused", ErrorObject::new("Refused", "no")).await;
        })
        .run();
    for part in ["yes", "Refused", "TimedOut { name: \\\"late\\\" }"] {
        assert!(report.result.contains(part), "{part} in {}", report.result);
    }
}

#[durable_execution]
async fn printer(order: u32) -> Result<String, Error> {
    act(format!("print {order}")).await?;
    wait(Duration::from_secs(5)).await;
    if order == 0 {
        Err(Error::of_kind("NoPaper", "the tray is empty"))
    } else {
        Ok(format!("label {order}"))
    }
}

#[durable_execution]
async fn invokes() -> Result<String, Error> {
    let label: String = invoke("printer", &1).await?;
    let (second, failed) =
        join!(invoke::<_, String>("printer", &2), invoke::<_, String>("printer", &0)).await;
    act("printed".into()).await?;
    Ok(format!("{label} {} {}", second?, failed.is_err()))
}

#[test]
fn invoked_functions() {
    let report = CrashEverywhere::new(invokes, || ()).prepare(|test| test.register(printer)).run();
    assert_eq!(report.result, "Ok(\"label 1 label 2 true\")");
}

#[durable_execution]
async fn answer_or_time_out() -> Result<String, Error> {
    let answer = race!(async { callback::<String>("answer").create().await.result().await.ok() }, async {
        wait(Duration::from_secs(30)).await;
        None
    },)
    .await;
    act("decided".into()).await?;
    Ok(answer.unwrap_or_else(|| "nobody".into()))
}

#[test]
fn a_race_between_a_callback_and_a_wait() {
    let answered = CrashEverywhere::new(answer_or_time_out, || ())
        .world(|world| async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            world.complete("answer", &"me").await;
        })
        .run();
    assert_eq!(answered.result, "Ok(\"me\")");
    assert_eq!(CrashEverywhere::new(answer_or_time_out, || ()).run().result, "Ok(\"nobody\")");
}

#[durable_execution]
async fn callbacks_beside_work() -> Result<usize, Error> {
    let (answer, worked) = join!(
        async {
            let answer: usize = callback("answer").create().await.result().await?;
            Ok::<_, Error>(answer + act("after the answer".into()).await?)
        },
        async {
            let text = step!("long", {
                effect("long");
                tokio::time::sleep(Duration::from_secs(20)).await;
                Ok::<_, Error>(String::from("worked"))
            })
            .await?;
            act(text).await
        },
    )
    .await;
    Ok(answer? + worked?)
}

#[test]
fn a_callback_beside_a_long_step() {
    let report = CrashEverywhere::new(callbacks_beside_work, || ())
        .world(|world| async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            world.complete("answer", &100).await;
        })
        .run();
    assert_eq!(report.result, "Ok(122)");
}
