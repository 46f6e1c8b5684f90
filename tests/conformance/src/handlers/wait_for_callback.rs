//! Suite 7: callbacks with a submitter.

use durable_runtime::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Handler, function};

pub(super) const HANDLERS: &[Handler] = &[
    function!("7-1", submitted),
    function!("7-2", approval),
    function!("7-4", submitted),
    function!("7-5", with_timeout),
    function!("7-6", recovered),
    function!("7-7", failing_submitter),
    function!("7-9", two_in_sequence),
    function!("7-11", json_object),
    function!("7-12", with_short_heartbeat),
    function!("7-13", with_heartbeat),
];

#[durable_step]
async fn submit(_id: CallbackId) -> Result<(), Error> {
    Ok(())
}

#[durable_execution]
async fn submitted(name: String) -> Result<String, Error> {
    callback(name).submit(submit).await
}

#[durable_execution]
async fn approval() -> Result<String, Error> {
    callback("approval").submit(submit).await
}

#[durable_execution]
async fn with_timeout(name: String) -> Result<String, Error> {
    callback(name).timeout("3s").submit(submit).await
}

#[durable_execution]
async fn recovered(name: String) -> Result<String, Error> {
    let answer: Result<String, Error> = callback(name).submit(submit).await;
    Ok(answer.unwrap_or_else(|_| "recovered".to_owned()))
}

#[durable_step(retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
async fn broken_submitter(_id: CallbackId) -> Result<(), Error> {
    Err(Error::new("nobody can be reached"))
}

#[durable_execution]
async fn failing_submitter(name: String) -> Result<String, Error> {
    callback(name).submit(broken_submitter).await
}

#[durable_execution]
async fn two_in_sequence() -> Result<String, Error> {
    let _first: String = callback("first").submit(submit).await?;
    callback("second").submit(submit).await
}

#[derive(Serialize, Deserialize)]
struct Answer {
    status: String,
}

#[durable_execution]
async fn json_object(name: String) -> Result<String, Error> {
    let answer: Answer = callback(name).submit(submit).await?;
    Ok(answer.status)
}

#[durable_execution]
async fn with_short_heartbeat(name: String) -> Result<String, Error> {
    callback(name).heartbeat("5s").submit(submit).await
}

#[durable_execution]
async fn with_heartbeat(name: String) -> Result<String, Error> {
    callback(name).heartbeat("10s").submit(submit).await
}
