//! Suite 4: callbacks.

use durable_runtime::{
    prelude::*,
    serdes::{Serdes, SerdesError},
};
use serde::{Deserialize, Serialize};

use super::{Handler, function};

pub(super) const HANDLERS: &[Handler] = &[
    function!("4-1", awaited),
    function!("4-2", approval),
    function!("4-3", with_timeout),
    function!("4-4", with_heartbeat),
    function!("4-6", awaited),
    function!("4-7", step_in_between),
    function!("4-9", wait_in_between),
    function!("4-11", timeout_during_wait),
    function!("4-13", caught_failure),
    function!("4-15", typed_payload),
    function!("4-16", number_payload),
    function!("4-18", two_callbacks),
];

#[durable_execution]
async fn awaited(name: String) -> Result<String, Error> {
    let answer = callback::<String>(name).create().await;
    Ok(answer.result().await?)
}

#[durable_execution]
async fn approval() -> Result<String, Error> {
    let approval = callback::<String>("approval").create().await;
    Ok(approval.result().await?)
}

#[durable_execution]
async fn with_timeout(name: String) -> Result<String, Error> {
    let answer = callback::<String>(name).timeout("5s").create().await;
    Ok(answer.result().await?)
}

#[durable_execution]
async fn with_heartbeat(name: String) -> Result<String, Error> {
    let answer = callback::<String>(name).heartbeat("5s").create().await;
    Ok(answer.result().await?)
}

#[durable_step]
async fn notify(id: &CallbackId) -> Result<usize, Error> {
    Ok(id.as_str().len())
}

#[durable_execution]
async fn step_in_between(name: String) -> Result<String, Error> {
    let answer = callback::<String>(name).create().await;
    notify(answer.id()).await?;
    Ok(answer.result().await?)
}

#[durable_execution]
async fn wait_in_between(name: String) -> Result<String, Error> {
    let answer = callback::<String>(name).create().await;
    wait("5s").await;
    Ok(answer.result().await?)
}

#[durable_execution]
async fn timeout_during_wait(name: String) -> Result<String, Error> {
    let answer = callback::<String>(name).timeout("3s").create().await;
    wait("6s").await;
    Ok(answer.result().await?)
}

#[durable_execution]
async fn caught_failure(name: String) -> Result<String, Error> {
    let answer = callback::<String>(name).create().await;
    let message = match answer.result().await {
        Ok(answer) => answer,
        Err(error) => error.to_string(),
    };
    wait("2s").await;
    Ok(message)
}

/// A delivery with its time as seconds since the Unix epoch.
#[derive(Serialize, Deserialize)]
struct Delivery {
    id: String,
    message: String,
    timestamp: i64,
}

/// Deliveries whose time is ISO 8601 outside.
struct IsoTime;

#[derive(Serialize, Deserialize)]
struct Sent {
    id: String,
    message: String,
    timestamp: jiff::Timestamp,
}

impl Serdes<Delivery> for IsoTime {
    fn serialize(value: &Delivery) -> Result<String, SerdesError> {
        let timestamp = jiff::Timestamp::from_second(value.timestamp).map_err(unusable)?;
        let sent = Sent { id: value.id.clone(), message: value.message.clone(), timestamp };
        serde_json::to_string(&sent).map_err(unusable)
    }

    fn deserialize(text: &str) -> Result<Delivery, SerdesError> {
        let Sent { id, message, timestamp } = serde_json::from_str(text).map_err(unusable)?;
        Ok(Delivery { id, message, timestamp: timestamp.as_second() })
    }
}

fn unusable(error: impl std::fmt::Display) -> SerdesError {
    SerdesError(error.to_string())
}

#[derive(Serialize, Deserialize)]
struct Received {
    received: Delivery,
}

#[durable_execution]
async fn typed_payload(name: String) -> Result<Received, Error> {
    let delivery = callback::<Delivery>(name).serdes::<IsoTime>().create().await;
    Ok(Received { received: delivery.result().await? })
}

/// A number, however it is quoted.
struct Number;

impl Serdes<u64> for Number {
    fn serialize(value: &u64) -> Result<String, SerdesError> {
        Ok(value.to_string())
    }

    fn deserialize(text: &str) -> Result<u64, SerdesError> {
        text.trim_matches('"').parse().map_err(unusable)
    }
}

#[derive(Serialize, Deserialize)]
struct Counted {
    count: u64,
    doubled: u64,
}

#[durable_execution]
async fn number_payload(name: String) -> Result<Counted, Error> {
    let count = callback::<u64>(name).serdes::<Number>().create().await.result().await?;
    Ok(Counted { count, doubled: count * 2 })
}

#[durable_execution]
async fn two_callbacks((first, second): (String, String)) -> Result<(String, String), Error> {
    let first = callback::<String>(first).create().await;
    let second = callback::<String>(second).create().await;
    Ok((first.result().await?, second.result().await?))
}
