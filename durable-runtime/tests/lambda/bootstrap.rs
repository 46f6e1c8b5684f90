//! The Lambda function: this test binary, started again by the tests.

use std::{env, time::Duration};

use durable_runtime::{lambda, prelude::*};

#[durable_step]
async fn reserve(order: &str) -> Result<String, Error> {
    tracing::info!(order, "reserving");
    Ok(format!("reservation of {order}"))
}

#[durable_execution]
async fn checkout(order: String) -> Result<String, Error> {
    let reservation = reserve(&order).await?;
    tracing::info!("waiting");
    wait(Duration::from_secs(1)).await;
    let approver = callback::<String>("approval").create().await.result().await?;
    Ok(format!("{reservation}, approved by {approver}"))
}

#[durable_step]
async fn number(value: u64) -> Result<u64, Error> {
    Ok(value)
}

/// Steps before a wait: their results come in pages when the execution goes on.
#[durable_execution]
async fn counts(steps: u64) -> Result<u64, Error> {
    let mut sum = 0;
    for value in 0..steps {
        sum += number(value).await?;
    }
    wait(Duration::from_secs(1)).await;
    Ok(sum)
}

#[durable_execution]
async fn letters(count: usize) -> Result<String, Error> {
    Ok("x".repeat(count))
}

#[durable_step]
async fn long_step() -> Result<(), Error> {
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(())
}

#[durable_execution]
async fn slow() -> Result<(), Error> {
    long_step().await
}

/// Not a test: the child process of the tests. `_HANDLER` says which function it is, as in Lambda.
#[tokio::test]
#[ignore = "the other tests start it as the Lambda function"]
async fn serves() {
    lambda::init_logging();
    let function = env::var("_HANDLER").expect("the tests say which function this is");
    let ended = match function.as_str() {
        "checkout" => lambda::run(checkout).await,
        "counts" => lambda::run(counts).await,
        "letters" => lambda::run(letters).await,
        "slow" => lambda::run_concurrent(slow).await,
        other => panic!("there is no function `{other}`"),
    };
    ended.expect("the runtime API is there as long as this process");
}
