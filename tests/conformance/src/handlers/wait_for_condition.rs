//! Suite 6: conditions.

use durable_runtime::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// Text that is stored as the numbers of its characters.
#[derive(Clone)]
struct Encoded(String);

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.chars().map(u32::from))
    }
}

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Vec::<u32>::deserialize(deserializer)?;
        let text: Option<String> = numbers.into_iter().map(char::from_u32).collect();
        text.map(Self).ok_or_else(|| serde::de::Error::custom("a number is no character"))
    }
}

#[durable_step]
async fn append(text: Encoded) -> Result<Condition<Encoded>, Error> {
    let text = Encoded(format!("{}x", text.0));
    Ok(if text.0.len() < 2 { Condition::NotYet(text) } else { Condition::Met(text) })
}

#[durable_execution]
async fn encoded_state() -> Result<String, Error> {
    let text = wait_for_condition(Encoded(String::new()), append).every("1s").await?;
    Ok(text.0)
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
