//! Child contexts: calls of other executions, named blocks, recursion.

use std::{fmt, time::Duration};

use cross_tests::{journal::note, runs::run};
use durable_runtime::{
    prelude::*,
    protocol::{OperationStatus, OperationType},
    serdes::{Serdes, SerdesError},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum ShopError {
    SoldOut { item: String },
}

impl fmt::Display for ShopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::SoldOut { item } = self;
        write!(f, "{item} is sold out")
    }
}

#[durable_step(retry(none))]
async fn reserve(item: &str) -> Result<usize, ShopError> {
    note(format!("reserve {item}"));
    if item.is_empty() { Err(ShopError::SoldOut { item: "nothing".into() }) } else { Ok(item.len()) }
}

#[durable_execution]
async fn fulfil(item: String) -> Result<usize, ShopError> {
    let reserved = reserve(&item).await?;
    wait(Duration::from_secs(10)).await;
    Ok(reserved)
}

#[durable_execution]
async fn shop(items: Vec<String>) -> Result<usize, ShopError> {
    let mut total = 0;
    for item in items {
        total += fulfil(item).await?;
    }
    Ok(total)
}

#[test]
fn a_called_execution_is_a_context_with_operations_of_its_own() {
    let ended = run(shop, vec!["tea".into(), "milk".into()]);
    let contexts = ended.of_type(OperationType::Context);
    assert_eq!(contexts.len(), 2);
    for context in contexts {
        assert_eq!((context.name.as_deref(), context.status), (Some("fulfil"), OperationStatus::Succeeded));
        let inside: Vec<_> =
            ended.operations.iter().filter(|it| it.parent_id.as_ref() == Some(&context.id)).collect();
        assert_eq!(inside.len(), 2);
    }
    assert_eq!(ended.notes, ["reserve tea", "reserve milk"]);
    assert_eq!(ended.value(), 7);
}

#[test]
fn a_called_executions_error_keeps_its_type() {
    let ended = run(shop, vec![String::new()]);
    let error =
        ended.named("fulfil").context_details.as_ref().and_then(|context| context.error.clone()).unwrap();
    assert_eq!(error.kind(), Some("ShopError"));
    assert_eq!(ended.failure(), ShopError::SoldOut { item: "nothing".into() });
}

#[durable_execution]
async fn remembers_failures() -> Result<Vec<String>, Error> {
    let failed = fulfil(String::new()).await;
    wait(Duration::from_secs(5)).await;
    Ok(vec![format!("{failed:?}")])
}

#[test]
fn a_finished_context_is_replayed_from_its_own_record() {
    let ended = run(remembers_failures, ());
    assert_eq!(ended.noted("reserve "), 1);
    assert_eq!(ended.value(), ["Err(SoldOut { item: \"nothing\" })"]);
}

#[durable_execution]
async fn blocks(order: u32) -> Result<usize, ShopError> {
    let label = format!("order {order}");
    let mut visits = 0;
    let plain = async {
        visits += 1;
        reserve("plain").await
    }
    .await?;
    let named = async { Ok::<_, ShopError>(reserve(&label).await? + reserve("b").await?) }
        .named(label.clone())
        .await?;
    wait(Duration::from_secs(1)).await;
    Ok(plain + named + visits)
}

#[test]
fn a_named_block_is_a_context_and_a_plain_one_is_not() {
    let ended = run(blocks, 7);
    let contexts = ended.of_type(OperationType::Context);
    assert_eq!(contexts.iter().map(|it| it.name.as_deref()).collect::<Vec<_>>(), [Some("order 7")]);
    assert_eq!(ended.named("reserve").parent_id, None);
    assert_eq!(ended.value(), 5 + 7 + 1 + 1);
}

#[durable_execution]
async fn named_call() -> Result<usize, ShopError> {
    fulfil("tea".into()).named("tea first").await
}

#[test]
fn a_call_of_an_execution_can_be_named() {
    assert_eq!(run(named_call, ()).named("tea first").operation_type, OperationType::Context);
}

#[durable_execution]
async fn factorial(n: u64) -> Result<u64, Error> {
    if n < 2 {
        return Ok(1);
    }
    let factor = step!("factor", {
        note(format!("factor {n}"));
        Ok::<_, Error>(n)
    })
    .await?;
    Ok(factor * factorial(n - 1).await?)
}

#[test]
fn an_execution_calls_itself() {
    let ended = run(factorial, 6);
    assert_eq!(ended.notes.len(), 5);
    assert_eq!(ended.value(), 720);
}

#[durable_execution]
async fn is_even(n: u32) -> bool {
    if n == 0 { true } else { is_odd(n - 1).await }
}

#[durable_execution]
async fn is_odd(n: u32) -> bool {
    if n == 0 { false } else { is_even(n - 1).await }
}

#[test]
fn executions_call_each_other() {
    assert!(run(is_even, 20).output.unwrap());
    assert!(!run(is_even, 7).output.unwrap());
}

#[durable_execution]
async fn tree_sum(depth: u32) -> Result<u32, Error> {
    if depth == 0 {
        wait(Duration::from_secs(1)).await;
        return Ok(1);
    }
    Ok(map(0..2, move |_| tree_sum(depth - 1)).await?.into_iter().sum())
}

#[test]
fn recursion_inside_a_map() {
    let ended = run(tree_sum, 4);
    assert_eq!(ended.elapsed, Duration::from_secs(1));
    assert_eq!(ended.value(), 16);
}

#[durable_execution]
async fn big_text(bytes: usize) -> Result<String, Error> {
    let parts = map(0..2, move |_| part(bytes / 2)).await?;
    Ok(parts.concat())
}

#[durable_step]
async fn part(bytes: usize) -> Result<String, Error> {
    note("part");
    Ok("y".repeat(bytes))
}

#[durable_execution]
async fn uses_big_text(bytes: usize) -> Result<usize, Error> {
    let text = big_text(bytes).await?;
    wait(Duration::from_secs(1)).await;
    wait(Duration::from_secs(1)).await;
    Ok(text.len())
}

#[test]
fn a_result_too_large_for_a_context_is_rebuilt_from_its_children() {
    let ended = run(uses_big_text, 600 * 1024);
    let context = ended.named("big_text").context_details.clone().unwrap();
    assert_eq!(context.replay_children, Some(true));
    assert!(context.result.is_none_or(|result| result.is_empty()));
    assert_eq!(ended.noted("part"), 2);
    assert_eq!(ended.value(), 600 * 1024);
}

#[durable_execution]
async fn returns_much(bytes: usize) -> Result<String, Error> {
    big_text(bytes).await
}

#[test]
fn an_executions_result_up_to_the_services_limit_is_kept() {
    for megabytes in [1, 2] {
        assert_eq!(
            run(returns_much, megabytes * 1024 * 1024 - 2048).value().len(),
            megabytes * 1024 * 1024 - 2048
        );
    }
}

/// Writes a list of numbers with slashes.
struct Slashes;

impl Serdes<Vec<u32>> for Slashes {
    fn serialize(value: &Vec<u32>) -> Result<String, SerdesError> {
        Ok(value.iter().map(ToString::to_string).collect::<Vec<_>>().join("/"))
    }

    fn deserialize(text: &str) -> Result<Vec<u32>, SerdesError> {
        let numbers = text.split('/').map(str::parse).collect::<Result<_, _>>();
        numbers.map_err(|error| SerdesError(format!("`{text}`: {error}")))
    }
}

#[durable_execution(serdes = Slashes)]
async fn numbers() -> Result<Vec<u32>, Error> {
    Ok(vec![1, 2, 3])
}

#[durable_execution]
async fn uses_numbers() -> Result<u32, Error> {
    let numbers = numbers().await?;
    wait(Duration::from_secs(1)).await;
    Ok(numbers.into_iter().sum())
}

#[test]
fn an_execution_can_have_a_serdes_of_its_own() {
    let ended = run(uses_numbers, ());
    let stored = ended.named("numbers").context_details.as_ref().and_then(|context| context.result.clone());
    assert_eq!(stored.as_deref(), Some("1/2/3"));
    assert_eq!(ended.value(), 6);
    // Served by a host, it writes its result in the same way.
    assert_eq!(run(numbers, ()).value(), [1, 2, 3]);
}
