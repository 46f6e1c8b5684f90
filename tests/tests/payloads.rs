//! Values that are too large for a checkpoint: kept elsewhere, seen whole by workflows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use cross_tests::journal;
use durable_engine::{Engine, PayloadDirectory, RunError};
use durable_runtime::{
    environment::Options,
    payloads::{PayloadStore, PayloadStoreError, Payloads},
    prelude::*,
    protocol::{OperationType, Payload},
    service::BoxFuture,
};
use durable_testing::{TestEngine, virtual_time};
use serde::{Deserialize, Serialize};

/// A store in memory, which refuses as many calls as it is told to.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    payloads: BTreeMap<String, Payload>,
    refusals: usize,
}

impl Shelf {
    fn access<T>(
        &self,
        access: impl FnOnce(&mut Inner) -> Result<T, PayloadStoreError>,
    ) -> Result<T, PayloadStoreError> {
        let mut inner = self.0.lock().unwrap();
        if inner.refusals > 0 {
            inner.refusals -= 1;
            return Err(PayloadStoreError("the shelf is out of reach".into()));
        }
        access(&mut inner)
    }

    fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().payloads.keys().cloned().collect()
    }
}

impl PayloadStore for Shelf {
    fn put(&self, key: String, payload: Payload) -> BoxFuture<'_, Result<(), PayloadStoreError>> {
        let put = self.access(|inner| {
            inner.payloads.insert(key, payload);
            Ok(())
        });
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            put
        })
    }

    fn get(&self, key: String) -> BoxFuture<'_, Result<Payload, PayloadStoreError>> {
        let got = self.access(|inner| inner.payloads.get(&key).cloned().ok_or(PayloadStoreError(key)));
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            got
        })
    }
}

fn engine_with(shelf: &Shelf) -> TestEngine {
    TestEngine::with_options(Options::default().payloads(Payloads::new(shelf.clone())))
}

fn text(mebibytes: usize) -> String {
    "x".repeat(mebibytes * 1024 * 1024)
}

#[durable_step]
async fn large(mebibytes: usize) -> Result<String, Error> {
    journal::note("large");
    Ok(text(mebibytes))
}

#[durable_execution]
async fn steps(input: String) -> Result<usize, Error> {
    let values = map([1_usize, 2, 3], large).await?;
    wait(Duration::from_secs(60)).await;
    let one = large(2).await?;
    wait(Duration::from_secs(60)).await;
    Ok(input.len() + one.len() + values.iter().map(String::len).sum::<usize>())
}

#[test]
fn inputs_and_results_of_steps_are_whole_on_every_replay() {
    let _ = journal::take();
    virtual_time(async {
        let shelf = Shelf::default();
        let test = engine_with(&shelf);
        let run = test.start(steps, text(2)).await;
        assert_eq!(run.result().await.unwrap(), 10 * 1024 * 1024);
        let kept = shelf.keys();
        assert_eq!(kept.iter().filter(|key| key.starts_with("inputs/")).count(), 1, "{kept:?}");
        assert_eq!(kept.len(), 5, "{kept:?}");
        for operation in run.operations().await {
            let result = operation.step_details.and_then(|step| step.result);
            assert!(result.is_none_or(|result| result.len() < 300), "the history holds references");
        }
    });
    assert_eq!(journal::take(), ["large"; 4], "no step ran twice");
}

#[test]
fn an_unreachable_store_costs_an_invocation_and_nothing_else() {
    let _ = journal::take();
    virtual_time(async {
        let shelf = Shelf::default();
        let test = engine_with(&shelf);
        let run = test.start(steps, "small".to_owned()).await;
        shelf.0.lock().unwrap().refusals = 2;
        assert_eq!(run.result().await.unwrap(), 5 + 8 * 1024 * 1024);
    });
    assert!(journal::take().len() >= 4);
}

#[durable_execution]
async fn seven() -> Result<String, Error> {
    Ok(text(7))
}

#[durable_execution]
async fn caller() -> Result<usize, Error> {
    let answer: String = invoke("seven", &()).await?;
    let swallowed: usize = invoke("swallow", &text(2)).await?;
    Ok(answer.len() + swallowed)
}

#[durable_execution]
async fn swallow(input: String) -> Result<usize, Error> {
    Ok(input.len())
}

#[test]
fn executions_that_share_a_store_pass_large_payloads_to_each_other() {
    virtual_time(async {
        let shelf = Shelf::default();
        let test = engine_with(&shelf);
        test.register(seven);
        test.register(swallow);
        assert_eq!(test.start(seven, ()).await.result().await.unwrap().len(), 7 * 1024 * 1024);
        assert_eq!(test.start(caller, ()).await.result().await.unwrap(), 9 * 1024 * 1024);
    });
}

/// Looks like a reference of ours, and is not one.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Impostor {
    #[serde(rename = "durablePayload")]
    key: String,
    bytes: usize,
}

#[durable_step]
async fn impostor() -> Result<Impostor, Error> {
    Ok(Impostor { key: "somebody/elses".into(), bytes: 1 })
}

#[durable_execution]
async fn keeps_impostors() -> Result<String, Error> {
    let value = impostor().await?;
    wait(Duration::from_secs(1)).await;
    Ok(value.key)
}

#[test]
fn a_value_that_looks_like_a_reference_stays_what_it_is() {
    virtual_time(async {
        let run = engine_with(&Shelf::default()).start(keeps_impostors, ()).await;
        assert_eq!(run.result().await.unwrap(), "somebody/elses");
    });
}

#[test]
fn without_a_store_the_error_says_that_there_could_be_one() {
    virtual_time(async {
        let run = TestEngine::new().start(steps, String::new()).await;
        let Err(RunError::Ended { error: Some(error), .. }) = run.output().await else { panic!("too large") };
        assert_eq!(error.kind(), Some("PayloadTooLarge"));
        assert!(error.to_string().contains("Options::payloads"), "{error}");
    });
}

#[durable_step]
async fn grow(state: String) -> Result<Condition<String>, Error> {
    let grown = state + &text(1);
    let enough = grown.len() > 2 * 1024 * 1024;
    Ok(if enough { Condition::Met(grown) } else { Condition::NotYet(grown) })
}

#[durable_execution]
async fn until_large() -> Result<usize, Error> {
    Ok(wait_for_condition(String::new(), grow).await?.len())
}

#[tokio::test]
async fn a_directory_keeps_payloads_across_restarts_and_is_cleared_by_execution() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = PayloadDirectory::open(directory.path().join("payloads")).unwrap();
    let open = || {
        let options = Options::default().payloads(Payloads::new(shelf.clone()));
        Engine::builder().sqlite(directory.path().join("engine.db")).driver_options(options).open().unwrap()
    };
    let engine = open();
    let run = engine.start(seven, ()).await.unwrap();
    let arn = run.arn().to_owned();
    assert_eq!(run.result().await.unwrap().len(), 7 * 1024 * 1024);
    drop((run, engine));

    let engine = open();
    let run = engine.attach(&seven, &arn).await.unwrap();
    assert_eq!(run.result().await.unwrap().len(), 7 * 1024 * 1024);
    shelf.remove(arn.rsplit('/').next().unwrap()).unwrap();
    let gone = run.result().await.unwrap_err().to_string();
    assert!(gone.contains("a payload outside of the history"), "{gone}");
}

#[test]
fn the_state_of_a_condition_may_be_large_too() {
    virtual_time(async {
        let shelf = Shelf::default();
        let run = engine_with(&shelf).start(until_large, ()).await;
        assert_eq!(run.result().await.unwrap(), 3 * 1024 * 1024);
        let waits =
            run.operations().await.into_iter().filter(|one| one.operation_type == OperationType::Step);
        assert_eq!(waits.count(), 1);
        assert!(shelf.keys().len() >= 3, "{:?}", shelf.keys());
    });
}
