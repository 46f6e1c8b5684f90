//! What plugins hear, over the invocations of one execution.

use std::{
    any::Any,
    sync::{Arc, Mutex},
};

use durable_runtime::{
    environment::Options,
    plugin::{
        AroundPoll, AttemptInfo, InvocationEnd, InvocationInfo, OperationInfo, OperationsChanged, Plugin,
    },
    prelude::*,
    service::BoxFuture,
};
use durable_testing::{TestEngine, virtual_time};

type Log = Arc<Mutex<Vec<String>>>;

struct Recorder(Log);

impl Recorder {
    fn note(&self, line: String) {
        self.0.lock().expect("no test panics while it holds the log").push(line);
    }
}

fn name(operation: &OperationInfo) -> String {
    operation.name.as_deref().unwrap_or("-").to_owned()
}

impl Plugin for Recorder {
    fn invocation_started(&self, invocation: &InvocationInfo<'_>) {
        assert!(invocation.execution_arn.starts_with("arn:") && invocation.request_id.is_some());
        self.note(format!("invocation first={} updated={}", invocation.is_first, invocation.updated.len()));
    }

    fn invocation_ended(&self, _: &InvocationInfo<'_>, end: &InvocationEnd<'_>) {
        self.note(format!("invocation {}", end.status.as_str()));
    }

    fn operation_started(&self, operation: &OperationInfo) {
        self.note(format!("start {} replay={}", name(operation), operation.is_replay));
    }

    fn operation_ended(&self, operation: &OperationInfo) {
        self.note(format!("end {} {:?} attempt={:?}", name(operation), operation.status, operation.attempt));
    }

    fn operations_changed(&self, change: &OperationsChanged<'_>) {
        assert!(change.operation_count >= change.updated.len());
    }

    fn attempt_started(&self, attempt: &AttemptInfo) {
        self.note(format!("attempt {} {:?}", name(&attempt.operation), attempt.attempt));
    }

    fn invocation_abandoned(&self, _: &InvocationInfo<'_>, _: Timestamp) {
        self.note("invocation abandoned".to_owned());
    }

    fn flush(&self) -> Option<BoxFuture<'static, ()>> {
        let log = Arc::clone(&self.0);
        Some(Box::pin(async move { Recorder(log).note("flush".to_owned()) }))
    }

    fn attempt_ended(&self, attempt: &AttemptInfo) {
        let error = attempt.error.as_ref().map(|error| error.message().to_owned());
        self.note(format!("attempt ended {} {:?} {error:?}", name(&attempt.operation), attempt.succeeded));
    }
}

/// Every hook of it panics.
struct Broken;

impl Plugin for Broken {
    fn invocation_started(&self, _: &InvocationInfo<'_>) {
        panic!("broken");
    }
    fn operation_started(&self, _: &OperationInfo) {
        panic!("broken");
    }
    fn operation_ended(&self, _: &OperationInfo) {
        panic!("broken");
    }
    fn attempt_started(&self, _: &AttemptInfo) {
        panic!("broken");
    }
    fn around_polls(&self, attempt: &AttemptInfo) -> Option<Box<dyn AroundPoll>> {
        if attempt.attempt == Some(1) {
            panic!("broken");
        }
        Some(Box::new(Broken))
    }
    fn flush(&self) -> Option<BoxFuture<'static, ()>> {
        Some(Box::pin(async { panic!("broken") }))
    }
}

impl AroundPoll for Broken {
    fn enter(&self) -> Box<dyn Any> {
        Box::new(BrokenGuard)
    }
}

struct BrokenGuard;

impl Drop for BrokenGuard {
    fn drop(&mut self) {
        panic!("broken");
    }
}

#[durable_step(retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
async fn flaky() -> Result<String, Error> {
    if step_attempt() == Some(1) { Err(Error::new("not yet")) } else { Ok("ok".to_owned()) }
}

#[durable_step]
async fn steady() -> Result<(), Error> {
    Ok(())
}

#[durable_execution]
async fn watched() -> Result<String, Error> {
    steady().await?;
    let answer = flaky().await?;
    wait("2s").named("pause").await;
    Ok(answer)
}

#[test]
fn each_event_is_announced_once_and_broken_plugins_change_nothing() {
    let log = Log::default();
    let options = Options::default().plugin(Broken).plugin(Recorder(Arc::clone(&log)));
    virtual_time(async {
        let run = TestEngine::with_options(options).start(watched, ()).await;
        assert_eq!(run.result().await.unwrap(), "ok");
        // The engine knows the end a moment before the invocation's own future has returned.
        tokio::task::yield_now().await;
    });
    let heard = log.lock().unwrap().clone();
    assert_eq!(
        heard,
        [
            "invocation first=true updated=0",
            "start steady replay=false",
            "attempt steady Some(1)",
            "attempt ended steady Some(true) None",
            "start flaky replay=false",
            "end steady Some(Succeeded) attempt=Some(1)",
            "attempt flaky Some(1)",
            "attempt ended flaky Some(false) Some(\"not yet\")",
            "invocation PENDING",
            "flush",
            "invocation first=false updated=1",
            "start flaky replay=true",
            "start flaky replay=true",
            "attempt flaky Some(2)",
            "attempt ended flaky Some(true) None",
            "start pause replay=false",
            "end flaky Some(Succeeded) attempt=Some(2)",
            "invocation PENDING",
            "flush",
            "invocation first=false updated=1",
            "end pause Some(Succeeded) attempt=None",
            "invocation SUCCEEDED",
            "flush",
        ]
    );
}

#[durable_execution]
async fn patient() -> Result<(), Error> {
    step!("sleep", {
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        Ok::<_, Error>(())
    })
    .await
}

#[test]
fn an_invocation_that_the_host_gives_up_is_abandoned_instead_of_ended() {
    let log = Log::default();
    let options = Options::default().plugin(Recorder(Arc::clone(&log)));
    virtual_time(async {
        let engine = TestEngine::with_options(options);
        let _run = engine.start(patient, ()).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        engine.kill().await;
    });
    let heard = log.lock().unwrap().clone();
    assert_eq!(
        heard,
        [
            "invocation first=true updated=0",
            "start sleep replay=false",
            "attempt sleep Some(1)",
            "invocation abandoned",
        ]
    );
}
