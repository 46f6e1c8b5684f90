//! One requirement, tried on one endpoint.

use std::{future::Future, time::Duration};

use anyhow::Result;
use serde_json::Value;

use super::{
    callbacks::{Delivery, Message, Outside},
    history::{is_over, match_history, name_inner_operations},
    logs::{LogRecord, match_logs},
    pattern::{Mismatch, equal, shortened},
    requirement::{ExpectedResult, Requirement},
    variables::Variables,
};
use crate::handlers::function_name;

/// Where functions are invoked and executions looked at.
pub trait Endpoint {
    /// Invokes a function and gives the ARN of its execution, at its end or, when `waits` is false, at once.
    fn invoke(&self, function: &str, input: &Value, waits: bool) -> impl Future<Output = Result<String>>;
    /// The whole history, as JSON in the form of `GetDurableExecutionHistory`.
    fn events(&self, execution_arn: &str) -> impl Future<Output = Result<Vec<Value>>>;
    /// How the execution stands.
    fn execution(&self, execution_arn: &str) -> impl Future<Output = Result<Ended>>;
    /// Completes a callback, or sends it a heartbeat.
    fn send(&self, callback_id: &str, message: &Message) -> impl Future<Output = Result<()>>;
    /// What the function has logged for this execution; `None` when this endpoint can't tell.
    fn logs(
        &self,
        function: &str,
        execution_arn: &str,
    ) -> impl Future<Output = Result<Option<Vec<LogRecord>>>>;
}

/// How an execution stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// `SUCCEEDED`, `FAILED` …
    pub status: String,
    /// What it returned.
    pub result: Option<String>,
}

/// What became of a trial.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// What does not fit; empty when the requirement is met.
    pub mismatches: Vec<String>,
    /// True when lines are expected in the logs, and the endpoint has none to look at.
    pub logs_unknown: bool,
    /// The kinds of the events that there were, for a person who looks for the reason.
    pub events: Vec<String>,
}

impl Verdict {
    /// Whether the requirement is met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// Tries a requirement.
///
/// # Errors
///
/// The endpoint can't be used.
pub async fn judge(requirement: &Requirement, endpoint: &impl Endpoint) -> Result<Verdict> {
    let file = &requirement.file;
    let mut variables = Variables::new(&file.variables);
    let function = function_name(&requirement.id);
    let input = variables.fill(&file.input);
    let arn = endpoint.invoke(&function, &input, !file.asynchronous).await?;
    let events = if file.asynchronous {
        follow(requirement, endpoint, &arn, &variables).await?
    } else {
        history(endpoint, &arn).await?
    };

    let mut mismatches = match_history(&file.history, &events, &mut variables);
    if let Some(expected) = &file.result {
        mismatches.extend(match_result(expected, &endpoint.execution(&arn).await?, &variables));
    }
    let mut logs_unknown = false;
    if !file.logs.is_empty() {
        match endpoint.logs(&function, &arn).await? {
            Some(records) => mismatches.extend(match_logs(&file.logs, &records, &variables)),
            None => logs_unknown = true,
        }
    }
    Ok(Verdict {
        logs_unknown,
        mismatches: mismatches.into_iter().map(|mismatch| mismatch.0).collect(),
        events: events.iter().map(label).collect(),
    })
}

fn label(event: &Value) -> String {
    let text = |member: &str| event.get(member).and_then(Value::as_str).unwrap_or_default();
    match text("Name") {
        "" => text("EventType").to_owned(),
        name => format!("{}({name})", text("EventType")),
    }
}

async fn history(endpoint: &impl Endpoint, arn: &str) -> Result<Vec<Value>> {
    let mut events = endpoint.events(arn).await?;
    name_inner_operations(&mut events);
    Ok(events)
}

/// Looks again and again, and sends what is due to callbacks, until the execution is over or stands still.
async fn follow(
    requirement: &Requirement,
    endpoint: &impl Endpoint,
    arn: &str,
    variables: &Variables,
) -> Result<Vec<Value>> {
    let file = &requirement.file;
    let mut outside = Outside::new(&file.callbacks);
    let mut idle = Duration::ZERO;
    let mut seen = 0;
    loop {
        let events = history(endpoint, arn).await?;
        let is_enough = || match_history(&file.history, &events, &mut variables.clone()).is_empty();
        if is_over(&events) || (file.result.is_none() && is_enough()) {
            return Ok(events);
        }
        for Delivery { callback_id, delay, message } in outside.due(&events, variables) {
            tokio::time::sleep(delay).await;
            endpoint.send(&callback_id, &message).await?;
        }
        idle = if events.len() == seen { idle + file.polling.interval() } else { Duration::ZERO };
        seen = events.len();
        if idle >= file.polling.patience() {
            return Ok(events);
        }
        tokio::time::sleep(file.polling.interval()).await;
    }
}

fn match_result(expected: &ExpectedResult, ended: &Ended, variables: &Variables) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    if let Some(status) = expected.execution_status.as_ref().filter(|status| **status != ended.status) {
        mismatches.push(Mismatch(format!("the execution is {}, expected {status}", ended.status)));
    }
    if let Some(result) = expected.result.as_ref().filter(|_| ended.status == "SUCCEEDED") {
        let wanted = variables.fill(result);
        let actual = match &ended.result {
            // Text that is no JSON stands for itself.
            Some(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str())),
            None => Value::Null,
        };
        if !equal(&wanted, &actual) {
            mismatches.push(Mismatch(format!("the result is {}, expected {wanted}", shortened(&actual))));
        }
    }
    mismatches
}
