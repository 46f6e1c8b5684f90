//! `survey`, the workflow of the other benches, as a Lambda function.

use durable_runtime::{lambda, prelude::*};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reading {
    number: u64,
    celsius: f64,
}

#[durable_step]
async fn read_sensor(number: u64) -> Result<Reading, Error> {
    Ok(Reading { number, celsius: 20.5 })
}

/// `readings` steps, one after the other.
#[durable_execution]
async fn survey(readings: u64) -> Result<f64, Error> {
    let mut sum = 0.0;
    for number in 0..readings {
        sum += read_sensor(number).await?.celsius;
    }
    Ok(sum)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::init_logging();
    lambda::run(survey).await
}
