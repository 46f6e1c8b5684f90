//! The shapes that functions come in compile against the runtime, and the codec follows the output type.

#![deny(warnings)]

use std::any::type_name;
use std::borrow::Cow;
use std::sync::Arc;

use durable_runtime::__private::{Execution, ExecutionBody, Step, StepBody};
use durable_runtime::prelude::*;
use durable_runtime::serdes::Json;
use durable_runtime::{DurableError, DurableValue, ErrorObject};
use ui_tests::{Order, PayError, charge};

type Paid<T> = Result<T, PayError>;

#[durable_step]
async fn nothing() {}

#[durable_step]
async fn destructured((a, b): (u32, u32), [c]: [u32; 1], _: u8) -> u32 {
    a + b + c
}

#[durable_step]
async fn mutable(mut text: String, suffix: &str) -> String {
    text.push_str(suffix);
    text
}

#[durable_step]
async fn borrowed(text: &str, other: Option<&Order>) -> String {
    if other.is_some() { Cow::Borrowed(text) } else { Cow::Owned(text.to_uppercase()) }.into_owned()
}

#[durable_step]
async fn generic<T, const N: usize>(items: [T; N], f: impl Fn(T) -> u32 + Clone + Send) -> Vec<u32>
where
    T: Clone + Send,
{
    items.into_iter().map(f).collect()
}

#[durable_step]
async fn fallible_by_parameter<T: DurableValue + Default, E: DurableError>() -> Result<T, E> {
    Ok(T::default())
}

#[durable_step]
async fn fallible_by_alias() -> Paid<u32> {
    Ok(1)
}

fn is_transient(error: &ErrorObject) -> bool {
    error.error_type.as_deref() == Some("Transient")
}

#[durable_step(
    retry(max_attempts = 2, initial_delay = "1s", backoff = 1, max_delay = "1h30m", jitter = none, retry_if = is_transient),
    at_most_once,
    timeout = "30s",
    name = "every option",
    serdes = Json,
    crate = ::durable_runtime
)]
async fn every_option(order: &Order) -> Paid<u32> {
    Ok(order.id)
}

#[durable_step(retry = RetryPolicy::AWS_DEFAULT)]
async fn policy_by_name() -> Paid<u32> {
    Ok(1)
}

#[durable_execution(name = "execution", serdes = Json, crate = ::durable_runtime)]
async fn execution_options(order: Order) -> Paid<u32> {
    /// A step that nobody else needs.
    #[durable_step]
    async fn nested(n: u32) -> u32 {
        helper(n).await
    }

    async fn helper(n: u32) -> u32 {
        std::future::ready(n).await
    }

    let offset = 1;
    let inline = step!("inline", retry(max_attempts = 2), at_most_once, timeout = "1s", serdes = Json, {
        Ok::<u32, PayError>(helper(offset).await + order.id)
    })
    .await?;
    let block = async { policy_by_name().await }.named("block").await?;
    Ok(nested(inline).await + every_option(&order).await? + block)
}

#[durable_execution]
async fn factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * factorial(n - 1).await }
}

#[durable_execution]
async fn is_even(n: u32) -> bool {
    if n == 0 { true } else { is_odd(n - 1).await }
}

#[durable_execution]
async fn is_odd(n: u32) -> bool {
    if n == 0 { false } else { is_even(n - 1).await }
}

#[durable_execution]
async fn tree(depth: u32) -> Paid<u32> {
    if depth == 0 {
        return Ok(1);
    }
    Ok(map(vec![depth - 1; 2], tree).await?.into_iter().sum())
}

#[derive(Clone)]
struct Shop {
    fee: u32,
}

impl Shop {
    #[durable_step]
    async fn price(&self, n: u32) -> u32 {
        self.fee + n
    }

    #[durable_step]
    async fn fee(fee: u32) -> u32 {
        Self { fee }.fee
    }

    #[durable_execution]
    async fn total(self: Arc<Self>, items: Vec<u32>) -> u32 {
        let mut total = Self::fee(1).await;
        for item in items {
            total += self.price(item).await;
        }
        total
    }
}

macro_rules! define {
    ($name:ident, $value:expr) => {
        #[durable_execution]
        async fn $name(order: Order) -> Paid<u32> {
            let charged = charge(Order { id: $value }).await?;
            let block = async move { charged + order.id };
            Ok(block.await)
        }
    };
}

define!(generated, 2 + 3);

#[durable_execution]
async fn control_flow(order: Order) -> Paid<Vec<String>> {
    nothing().await;
    let mut results = vec![destructured((1, 2), [3], 0).await.to_string(), mutable("a".into(), "b").await];
    results.push(borrowed("x y", Some(&order)).await);
    results.push(format!("{:?}", generic([1_u8, 2], u32::from).await));
    let Ok(n) = fallible_by_alias().await else { return Err(PayError::Declined) };
    if let Ok(m) = fallible_by_alias().await
        && m == n
    {
        results.push(m.to_string());
    }
    match Some(n) {
        Some(n) if let Ok(m) = charge(Order { id: n }).await => results.push(m.to_string()),
        _ => {}
    }
    let total = Arc::new(Shop { fee: 1 }).total(vec![1]).await;
    let block = 'block: {
        if total > 0 {
            break 'block generated(order).await?;
        }
        0
    };
    let mut n = 0;
    let n = loop {
        n += 1;
        match factorial(n).await {
            found if found > u64::from(block) => break found,
            _ => {}
        }
    };
    results.push(format!("{n} {} {}", is_even(4).await, tree(2).await?));
    Ok(results)
}

fn step_codec<B: StepBody>(_: &Step<B>) -> &'static str {
    type_name::<B::Codec>()
}

fn execution_codec<B: ExecutionBody>(_: &Execution<B>) -> &'static str {
    type_name::<B::Codec>()
}

#[test]
fn every_result_is_fallible_and_nothing_else() {
    for fallible in [
        step_codec(&charge(Order { id: 1 })),
        step_codec(&fallible_by_alias()),
        step_codec(&fallible_by_parameter::<u32, PayError>()),
        execution_codec(&generated(Order { id: 1 })),
        execution_codec(&control_flow(Order { id: 1 })),
        execution_codec(&execution_options(Order { id: 1 })),
    ] {
        assert!(fallible.contains("::Fallible"), "{fallible}");
    }
    for infallible in [
        step_codec(&nothing()),
        step_codec(&generic([1_u8], u32::from)),
        step_codec(&mutable(String::new(), "")),
        execution_codec(&factorial(1)),
    ] {
        assert!(infallible.contains("::Plain"), "{infallible}");
    }
}
