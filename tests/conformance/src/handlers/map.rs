//! Suite 9: one function over many items.

use durable_runtime::{
    BatchItem, CompletionReason, ItemStatus,
    prelude::*,
    serdes::{Serdes, SerdesError},
};
use serde::{Deserialize, Serialize};

use super::{
    Handler,
    batch::{
        Branch::{Fails, Gives},
        Summary,
    },
    function,
    serdes::Wrapped,
    step::greet,
};

pub(super) const HANDLERS: &[Handler] = &[
    function!("9-1", greetings),
    function!("9-2", doubled),
    function!("9-4", empty),
    function!("9-5", fail_fast),
    function!("9-6", rethrown),
    function!("9-8", tolerated),
    function!("9-9", tolerance_exceeded),
    function!("9-12", flat),
    function!("9-13", named_items),
    function!("9-14", item_serdes),
    function!("9-16", large),
    function!("9-17", then_wait),
    function!("9-19", operation_serdes),
];

#[durable_execution]
async fn greetings(names: Vec<String>) -> Result<Vec<String>, Error> {
    map(names, greet).named("map").max_concurrency(1).await
}

#[durable_execution]
async fn doubled(numbers: Vec<u32>) -> Result<Vec<u32>, Error> {
    map(numbers, |number| async move { Ok::<_, Error>(number * 2) }).max_concurrency(1).await
}

#[durable_execution]
async fn empty(names: Vec<String>) -> Result<Vec<String>, Error> {
    map(names, greet).named("empty").await
}

#[durable_execution]
async fn fail_fast() -> Result<Summary, Error> {
    let items = [Gives("ok"), Fails, Gives("never")];
    let batch = map(items, |item| async move { item.answer() })
        .named("failfast")
        .max_concurrency(1)
        .tolerated_failures(0)
        .outcome()
        .await;
    Ok(Summary::of(&batch))
}

#[durable_execution]
async fn rethrown() -> Result<Vec<String>, Error> {
    let batch = map([Fails, Gives("never")], |item| async move { item.answer() })
        .named("throwing")
        .max_concurrency(1)
        .tolerated_failures(0)
        .outcome()
        .await;
    batch.into_results()
}

#[durable_execution]
async fn tolerated() -> Result<Summary, Error> {
    let batch = map([Gives("a"), Fails, Gives("c")], |item| async move { item.answer() })
        .named("tolerated")
        .max_concurrency(1)
        .tolerated_failures(1)
        .outcome()
        .await;
    Ok(Summary::of(&batch))
}

#[durable_execution]
async fn tolerance_exceeded() -> Result<Summary, Error> {
    let batch = map([Fails, Fails, Gives("never")], |item| async move { item.answer() })
        .named("tolerated-exceeded")
        .max_concurrency(1)
        .tolerated_failures(1)
        .outcome()
        .await;
    Ok(Summary::of(&batch).without_status())
}

#[durable_step]
async fn value_of(item: &'static str) -> Result<String, Error> {
    Ok(item.to_owned())
}

#[durable_execution]
async fn flat() -> Result<Vec<String>, Error> {
    map(["fa", "fb"], value_of).named("flat").max_concurrency(1).flat().await
}

#[durable_execution]
async fn named_items(items: Vec<u32>) -> Result<Vec<u32>, Error> {
    map(items, |item| async move { Ok::<_, Error>(item * 10) })
        .named("named-items")
        .item_name(|_, item| format!("item-{item}"))
        .max_concurrency(1)
        .await
}

#[durable_execution]
async fn item_serdes() -> Result<Vec<String>, Error> {
    map(["x", "y"], |item| async move { Ok::<_, Error>(item.to_uppercase()) })
        .named("serdes")
        .max_concurrency(1)
        .item_serdes::<Wrapped>()
        .await
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    success_count: usize,
    total_count: usize,
}

#[durable_execution]
async fn large() -> Result<Counts, Error> {
    let batch = map(["a", "b", "c", "d"], |item| async move { Ok::<_, Error>(item.repeat(70 * 1024)) })
        .named("large")
        .max_concurrency(1)
        .outcome()
        .await;
    Ok(Counts { success_count: batch.count(ItemStatus::Succeeded), total_count: batch.all.len() })
}

#[durable_execution]
async fn then_wait() -> Result<Vec<String>, Error> {
    let shouted = map(["a", "b"], |item| async move { Ok::<_, Error>(item.to_uppercase()) })
        .named("then-wait")
        .max_concurrency(1)
        .await?;
    wait("1s").await;
    Ok(shouted)
}

/// A batch whose items have all succeeded, as one line of text.
struct Line;

const MARK: &str = "OPSERDE:";

impl Serdes<Batch<String, Error>> for Line {
    fn serialize(batch: &Batch<String, Error>) -> Result<String, SerdesError> {
        let values: Vec<&str> = batch.succeeded().map(String::as_str).collect();
        Ok(format!("{MARK}{}", values.join(",")))
    }

    fn deserialize(text: &str) -> Result<Batch<String, Error>, SerdesError> {
        let line = text
            .strip_prefix(MARK)
            .ok_or_else(|| SerdesError(format!("`{text}` does not begin with `{MARK}`")))?;
        let item = |(index, value): (usize, &str)| BatchItem {
            index,
            status: ItemStatus::Succeeded,
            result: Some(value.to_owned()),
            error: None,
        };
        let all = line.split(',').enumerate().map(item).collect();
        Ok(Batch { all, completion_reason: CompletionReason::AllCompleted })
    }
}

#[durable_execution]
async fn operation_serdes() -> Result<Vec<String>, Error> {
    map(["x", "y"], |item| async move { Ok::<_, Error>(item.to_uppercase()) })
        .named("op-serde")
        .max_concurrency(1)
        .serdes::<Line>()
        .await
}
