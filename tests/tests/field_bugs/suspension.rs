//! When an invocation suspends, and when it must not.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cross_tests::{
    faults::{Fault, engine_with},
    journal::note,
    runs::{Ended, finish, run, run_in_world},
};
use durable_engine::Engine;
use durable_runtime::{
    Root,
    prelude::*,
    protocol::{InvocationOutput, OperationType, Payload},
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError},
    workflow::InvocationError,
};
use durable_testing::{TestEngine, virtual_time};

#[durable_step]
async fn takes(seconds: u64) -> Result<u64, Error> {
    note(format!("begin {seconds}"));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    note(format!("end {seconds}"));
    Ok(seconds)
}

/// Answers late: the suspension must not be decided before.
#[derive(Default)]
struct Late {
    failures: AtomicUsize,
}

impl Fault for Late {
    fn checkpoint<'a>(
        &'a self,
        service: &'a dyn DurableService,
        request: CheckpointRequest,
    ) -> BoxFuture<'a, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            let response = service.checkpoint(request).await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            response
        })
    }

    fn ended(&self, ended: &Result<InvocationOutput, InvocationError>) {
        if ended.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn run_late<R: Root<(), Input = ()> + Clone>(function: R) -> Ended<R::Output> {
    let late = Arc::new(Late::default());
    let ended = virtual_time(async {
        let test = engine_with(&late);
        let run = test.start(function, ()).await;
        finish(&test, &run).await
    });
    assert_eq!(late.failures.load(Ordering::Relaxed), 0);
    ended
}

#[durable_execution]
async fn waits_and_works() -> Result<u64, Error> {
    let (waited, worked) = join!(
        async {
            wait(Duration::from_secs(1)).await;
            takes(0).await
        },
        async { Ok::<_, Error>(takes(1).await? + takes(2).await?) },
    )
    .await;
    wait(Duration::from_secs(1)).await;
    Ok(waited? + worked?)
}

/// F2, F3: waits end while answers are on their way. The engine fails an invocation that is PENDING with nothing
/// pending, and each failed invocation is counted.
#[test]
fn an_answer_on_its_way_is_waited_for_before_the_execution_suspends() {
    let ended = run_late(waits_and_works);
    for seconds in 0..3 {
        assert_eq!(ended.noted(&format!("begin {seconds}")), 1);
    }
    assert_eq!(ended.value(), 3);
}

#[durable_execution]
async fn only_short_waits() -> Result<u64, Error> {
    // Over before the answer that says that it has begun.
    wait(Duration::from_secs(1)).await;
    wait(Duration::from_secs(1)).await;
    Ok(map(1..5, |_| async {
        wait(Duration::from_secs(1)).await;
        Ok::<_, Error>(1)
    })
    .await?
    .into_iter()
    .sum())
}

/// F3: a completion between the last look and the suspension.
#[test]
fn a_wait_that_ends_while_its_start_is_acknowledged_is_not_lost() {
    assert_eq!(run_late(only_short_waits).value(), 4);
}

#[durable_execution]
async fn remote(seconds: u64) -> Result<u64, Error> {
    wait(Duration::from_secs(seconds)).await;
    Ok(seconds)
}

#[durable_execution]
async fn invokes_several() -> Result<u64, InvokeError> {
    let (short, long, longer) = try_join!(
        invoke::<_, u64>("remote", &10),
        invoke::<_, u64>("remote", &100),
        invoke::<_, u64>("remote", &1000),
    )
    .await?;
    Ok(short + long + longer)
}

/// F4: one of several invokes ends early.
#[test]
fn an_execution_suspends_at_once_when_only_remote_work_is_left() {
    virtual_time(async {
        let test = TestEngine::new();
        test.register(remote);
        let run = test.start(invokes_several, ()).await;
        let ended = finish(&test, &run).await;
        // Two for each of the three, and of the caller one to start with and one for each that ended.
        assert_eq!(ended.invocations, 6 + 4);
        // No refresh was ever asked for.
        assert_eq!(ended.checkpoint_calls, 3 + 4);
        assert_eq!(ended.value(), 1110);
    });
}

#[durable_execution]
async fn wait_beside_work() -> Result<u64, Error> {
    let ((), worked) = join!(async { wait(Duration::from_secs(2)).await }, async {
        Ok::<_, Error>(takes(5).await? + takes(3).await?)
    },)
    .await;
    worked
}

/// F5, F19: a wait in one branch, local work in the other.
#[test]
fn a_wait_in_one_branch_never_stops_work_in_another() {
    let ended = run(wait_beside_work, ());
    assert_eq!(ended.notes, ["begin 5", "end 5", "begin 3", "end 3"]);
    assert_eq!((ended.invocations, ended.elapsed, ended.value()), (1, Duration::from_secs(8), 8));
}

#[durable_step(at_most_once)]
async fn ship() -> Result<u64, Error> {
    note("ship");
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(1)
}

#[durable_execution]
async fn ships_beside_a_wait() -> Result<u64, Error> {
    let (shipped, ()) = join!(ship(), async { wait(Duration::from_secs(1)).await }).await;
    shipped
}

/// F19: an at-most-once step beside a wait fails nobody.
#[test]
fn a_wait_beside_an_at_most_once_step_interrupts_nothing() {
    let ended = run(ships_beside_a_wait, ());
    assert_eq!((ended.noted("ship"), ended.value()), (1, 1));
}

#[durable_step(retry(max_attempts = 3, initial_delay = "2s", backoff = 1.0, jitter = none))]
async fn third_time() -> Result<u64, Error> {
    note(format!("attempt {}", step_attempt().unwrap_or_default()));
    if step_attempt() < Some(3) { Err(Error::new("busy")) } else { Ok(1) }
}

#[durable_execution]
async fn retries_beside_work() -> Result<u64, Error> {
    let (retried, worked) = join!(third_time(), takes(30)).await;
    Ok(retried? + worked?)
}

/// F6: a retry becomes due while other branches run.
#[test]
fn a_retry_that_becomes_due_while_the_invocation_lives_is_made_in_it() {
    let ended = run(retries_beside_work, ());
    let attempts: Vec<_> = ended.notes.iter().filter(|note| note.starts_with("attempt")).collect();
    assert_eq!(attempts, ["attempt 1", "attempt 2", "attempt 3"]);
    assert_eq!(ended.notes.last().map(String::as_str), Some("end 30"));
    assert_eq!((ended.invocations, ended.elapsed, ended.value()), (1, Duration::from_secs(30), 31));
}

#[durable_execution]
async fn races_of_waits() -> Result<u64, Error> {
    let short = race!(
        async {
            wait(Duration::from_secs(600)).await;
            Ok::<_, Error>(600)
        },
        async {
            wait(Duration::from_secs(60)).await;
            Ok::<_, Error>(60)
        },
    )
    .await?;
    Ok(short)
}

/// F16: a race over waits.
#[test]
fn a_race_over_waits_suspends() {
    let ended = run(races_of_waits, ());
    assert_eq!((ended.elapsed, ended.invocations), (Duration::from_secs(60), 2));
    assert_eq!(ended.value(), 60);
}

#[durable_execution]
async fn asks() -> Result<u32, CallbackError> {
    let answer = callback::<u32>("answer").create().await;
    let id = answer.id().to_string();
    step!("hand out", {
        note(id.clone());
    })
    .await;
    answer.result().await
}

/// Completes the callback just before the call that follows its creation, so that the result is in the last
/// answer of the invocation.
#[derive(Default)]
struct Prompt {
    engine: Mutex<Option<Engine>>,
    calls: AtomicUsize,
}

impl Fault for Prompt {
    fn checkpoint<'a>(
        &'a self,
        service: &'a dyn DurableService,
        request: CheckpointRequest,
    ) -> BoxFuture<'a, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            let engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let ended_step = request.updates.iter().any(|update| {
                update.operation_type == OperationType::Step
                    && update.action == durable_runtime::protocol::OperationAction::Succeed
            });
            if let (Some(engine), true) = (engine, ended_step) {
                let id = cross_tests::journal::take().remove(0);
                engine.succeed_callback(&id, Some(Payload::from("42"))).await.expect("the callback is open");
                self.calls.fetch_add(1, Ordering::Relaxed);
            }
            service.checkpoint(request).await
        })
    }
}

/// F27: a callback completes during the invocation, and its result is in the last answer.
#[test]
fn what_the_last_answer_settled_is_run_before_the_execution_suspends() {
    let prompt = Arc::new(Prompt::default());
    virtual_time(async {
        let test = engine_with(&prompt);
        *prompt.engine.lock().unwrap() = Some(test.engine());
        let run = test.start(asks, ()).await;
        let ended = finish(&test, &run).await;
        *prompt.engine.lock().unwrap() = None;
        assert_eq!(prompt.calls.load(Ordering::Relaxed), 1);
        assert_eq!((ended.invocations, ended.value()), (1, 42));
    });
}

#[durable_execution]
async fn asks_beside_work() -> Result<u64, Error> {
    let (answered, worked) = join!(
        async {
            let answer: u64 = callback("answer").create().await.result().await?;
            Ok::<_, Error>(takes(answer).await? + takes(answer + 1).await?)
        },
        takes(60),
    )
    .await;
    Ok(answered? + worked?)
}

/// F6 for callbacks: one that is completed while another branch works goes on in the same invocation.
#[test]
fn a_callback_that_is_completed_while_another_branch_works_goes_on_at_once() {
    let ended = run_in_world(asks_beside_work, (), |world| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.complete("answer", &1).await;
    });
    assert_eq!(ended.notes.last().map(String::as_str), Some("end 60"));
    assert_eq!((ended.invocations, ended.elapsed, ended.value()), (1, Duration::from_secs(60), 63));
}
