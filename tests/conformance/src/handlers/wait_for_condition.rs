//! Suite 6: conditions.

use durable_runtime::{
    prelude::*,
    serdes::{Serdes, SerdesError},
};
use serde::{Deserialize, Serialize};

use super::{Handler, function};

pub(super) const HANDLERS: &[Handler] = &[
    function!("6-1", counted),
    function!("6-2", already_met),
    function!("6-3", named),
    function!("6-5", fixed_delay),
    function!("6-7", failing_check),
    function!("6-9", object_state),
    function!("6-11", encoded_state),
    function!("6-12", state_into_step),
];

#[durable_step]
async fn count_up(count: u32, threshold: u32) -> Result<Condition<u32>, Error> {
    let count = count + 1;
    Ok(if count < threshold { Condition::NotYet(count) } else { Condition::Met(count) })
}

#[durable_execution]
async fn counted(threshold: u32) -> Result<u32, Error> {
    wait_for_condition(0, |count| count_up(count, threshold)).every("1s").await
}

#[durable_step]
async fn is_enough(count: u32, threshold: u32) -> Result<Condition<u32>, Error> {
    Ok(if count < threshold { Condition::NotYet(count) } else { Condition::Met(count) })
}

#[durable_execution]
async fn already_met(threshold: u32) -> Result<u32, Error> {
    wait_for_condition(5, |count| is_enough(count, threshold)).every("1s").await
}

#[durable_execution]
async fn named(threshold: u32) -> Result<u32, Error> {
    wait_for_condition(0, |count| count_up(count, threshold)).every("1s").named("poll-status").await
}

#[durable_execution]
async fn fixed_delay(threshold: u32) -> Result<u32, Error> {
    wait_for_condition(0, |count| count_up(count, threshold)).every("2s").await
}

#[durable_step]
async fn broken_check(_state: u32) -> Result<Condition<u32>, Error> {
    Err(Error::new("the check itself fails"))
}

#[durable_execution]
async fn failing_check() -> Result<u32, Error> {
    wait_for_condition(0, broken_check).every("1s").await
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Pending,
    Done,
}

#[derive(Clone, Serialize, Deserialize)]
struct Job {
    status: Status,
    attempts: u32,
}

#[durable_step]
async fn poll_job(job: Job) -> Result<Condition<Job>, Error> {
    let attempts = job.attempts + 1;
    Ok(if attempts < 2 {
        Condition::NotYet(Job { status: Status::Pending, attempts })
    } else {
        Condition::Met(Job { status: Status::Done, attempts })
    })
}

#[durable_execution]
async fn object_state() -> Result<Job, Error> {
    wait_for_condition(Job { status: Status::Pending, attempts: 0 }, poll_job).every("1s").await
}

/// Text that is stored backwards, between brackets.
struct Mirrored;

impl Serdes<String> for Mirrored {
    fn serialize(value: &String) -> Result<String, SerdesError> {
        Ok(format!("<{}>", value.chars().rev().collect::<String>()))
    }

    fn deserialize(text: &str) -> Result<String, SerdesError> {
        let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
        let inner = inner.ok_or_else(|| SerdesError(format!("`{text}` is not between brackets")))?;
        Ok(inner.chars().rev().collect())
    }
}

#[durable_step]
async fn append(text: String) -> Result<Condition<String>, Error> {
    let text = text + "x";
    Ok(if text.len() < 2 { Condition::NotYet(text) } else { Condition::Met(text) })
}

#[durable_execution]
async fn encoded_state() -> Result<String, Error> {
    wait_for_condition(String::new(), append).every("1s").serdes::<Mirrored>().await
}

#[durable_step]
async fn times_ten(count: u32) -> Result<u32, Error> {
    Ok(count * 10)
}

#[durable_execution]
async fn state_into_step(threshold: u32) -> Result<u32, Error> {
    let count = wait_for_condition(0, |count| count_up(count, threshold)).every("1s").await?;
    times_ten(count).await
}
