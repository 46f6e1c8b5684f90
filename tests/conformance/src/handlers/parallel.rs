//! Suite 8: branches side by side.

use durable_runtime::{
    ItemStatus,
    prelude::*,
    serdes::{Serdes, SerdesError},
};
use serde::{Deserialize, Serialize};

use super::{
    Handler,
    batch::{
        Branch::{self, Fails, Gives},
        Summary,
    },
    function,
};

pub(super) const HANDLERS: &[Handler] = &[
    function!("8-1", two_steps),
    function!("8-2", without_name),
    function!("8-3", named_branches),
    function!("8-6", fail_fast),
    function!("8-8", min_successful),
    function!("8-10", tolerance_exceeded),
    function!("8-11", concurrent),
    function!("8-12", flat),
    function!("8-13", percentage_exceeded),
    function!("8-14", suspended_branch),
    function!("8-15", custom_serdes),
    function!("8-17", min_successful_not_reached),
    function!("8-19", no_concurrency),
    function!("8-20", accessors),
];

#[durable_step]
async fn task(text: &'static str) -> Result<String, Error> {
    Ok(text.to_owned())
}

#[durable_execution]
async fn two_steps() -> Result<Vec<String>, Error> {
    parallel([task("task-1"), task("task-2")]).named("parallel").max_concurrency(1).await
}

#[durable_execution]
async fn without_name() -> Result<Vec<String>, Error> {
    let branches = [Gives("alpha"), Gives("beta")].map(|branch| async move { branch.answer() });
    parallel(branches).max_concurrency(1).await
}

#[durable_execution]
async fn named_branches() -> Result<Vec<String>, Error> {
    let names = ["first", "second"];
    let branches = [Gives("one"), Gives("two")].map(|branch| async move { branch.answer() });
    parallel(branches)
        .named("named")
        .item_name(|index, _| names.get(index).copied().unwrap_or_default())
        .max_concurrency(1)
        .await
}

#[durable_execution]
async fn fail_fast() -> Result<Summary, Error> {
    let branches = [Gives("ok"), Fails, Gives("never")].map(|branch| async move { branch.answer() });
    let batch = parallel(branches).named("failfast").max_concurrency(1).tolerated_failures(0).outcome().await;
    Ok(Summary::of(&batch))
}

#[durable_execution]
async fn min_successful() -> Result<Summary, Error> {
    let branches =
        [Gives("a"), Gives("b"), Gives("c"), Gives("d")].map(|branch| async move { branch.answer() });
    let batch =
        parallel(branches).named("min-successful").max_concurrency(1).min_successful(2).outcome().await;
    Ok(Summary::of(&batch).without_status().without_failures())
}

#[durable_execution]
async fn tolerance_exceeded() -> Result<Summary, Error> {
    let branches = [Fails, Fails, Gives("never")].map(|branch| async move { branch.answer() });
    let batch = parallel(branches)
        .named("tolerated-exceeded")
        .max_concurrency(1)
        .tolerated_failures(1)
        .outcome()
        .await;
    Ok(Summary::of(&batch).without_status())
}

#[durable_execution]
async fn concurrent() -> Result<Vec<String>, Error> {
    let branches = [Gives("r0"), Gives("r1"), Gives("r2")].map(|branch| async move { branch.answer() });
    parallel(branches).named("concurrent").max_concurrency(2).await
}

#[durable_execution]
async fn flat() -> Result<Vec<String>, Error> {
    parallel([task("fa"), task("fb")]).named("flat").max_concurrency(1).flat().await
}

#[durable_execution]
async fn percentage_exceeded() -> Result<Summary, Error> {
    let branches = [Fails, Fails, Gives("c"), Gives("d")].map(|branch| async move { branch.answer() });
    let batch = parallel(branches)
        .named("tolerated-pct")
        .max_concurrency(1)
        .tolerated_failure_percentage(25.0)
        .outcome()
        .await;
    Ok(Summary::of(&batch).without_status())
}

#[durable_execution]
async fn suspended_branch() -> Result<Vec<String>, Error> {
    let waiting = async {
        wait("2s").await;
        Ok("b1".to_owned())
    };
    parallel([task("b0").boxed(), waiting.boxed()]).named("replay").max_concurrency(1).await
}

/// Text inside of an object.
struct Envelope;

#[derive(Serialize, Deserialize)]
struct Enveloped {
    wrapped: String,
}

impl Serdes<String> for Envelope {
    fn serialize(value: &String) -> Result<String, SerdesError> {
        let enveloped = Enveloped { wrapped: value.clone() };
        serde_json::to_string(&enveloped).map_err(|error| SerdesError(error.to_string()))
    }

    fn deserialize(text: &str) -> Result<String, SerdesError> {
        let enveloped: Enveloped =
            serde_json::from_str(text).map_err(|error| SerdesError(error.to_string()))?;
        Ok(enveloped.wrapped)
    }
}

#[durable_execution]
async fn custom_serdes() -> Result<Vec<String>, Error> {
    let branches = [Gives("x"), Gives("y")].map(|branch| async move { branch.answer() });
    parallel(branches).named("serde").max_concurrency(1).item_serdes::<Envelope>().await
}

#[durable_execution]
async fn min_successful_not_reached() -> Result<Summary, Error> {
    let branches = [Gives("a"), Fails, Gives("c")].map(|branch| async move { branch.answer() });
    let batch =
        parallel(branches).named("min-not-reached").max_concurrency(1).min_successful(3).outcome().await;
    Ok(Summary::of(&batch))
}

#[durable_execution]
async fn no_concurrency() -> Result<Vec<String>, Error> {
    let branches = [Gives("a"), Gives("b")].map(|branch| async move { branch.answer() });
    parallel(branches).named("bad-concurrency").max_concurrency(0).await
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accessors {
    has_failure: bool,
    success_count: usize,
    failure_count: usize,
    error_count: usize,
}

#[durable_execution]
async fn accessors() -> Result<Accessors, Error> {
    let branches: [Branch; 3] = [Gives("a"), Fails, Gives("c")];
    let branches = branches.map(|branch| async move { branch.answer() });
    let batch =
        parallel(branches).named("accessors").max_concurrency(1).tolerated_failures(1).outcome().await;
    Ok(Accessors {
        has_failure: batch.has_failure(),
        success_count: batch.succeeded().count(),
        failure_count: batch.count(ItemStatus::Failed),
        error_count: batch.errors().count(),
    })
}
