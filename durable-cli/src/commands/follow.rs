//! Watching an execution until it ends.

use std::{process::ExitCode, time::Duration};

use super::{CommandError, output};
use crate::client::{Api, Event, Execution, HistoryQuery};

/// How often the service is asked. Polling, because that is what AWS offers.
const INTERVAL: Duration = Duration::from_millis(300);
/// Characters of a value on a line.
const VALUE: usize = 80;
/// The exit code when an execution ended otherwise than by succeeding.
const NOT_SUCCEEDED: u8 = 3;

/// What is shown while an execution runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Nothing,
    Lines,
    JsonLines,
}

/// Waits for the end of an execution and shows its events meanwhile.
pub(super) async fn until_end(api: &Api, arn: &str, progress: Progress) -> Result<Execution, CommandError> {
    let mut shown = 0;
    loop {
        // Asked first: the last event is then in the history that follows.
        let execution = api.execution(arn).await?;
        if progress != Progress::Nothing {
            for event in new_events(api, arn, shown).await? {
                shown = event.event_id;
                if progress == Progress::JsonLines {
                    output::print_json_line(&event.raw)?;
                } else {
                    let since = event.event_timestamp.since(execution.start_timestamp);
                    output::print_line(&format!("{:>8}  {}", output::amount(since), describe(&event)))?;
                }
            }
        }
        if execution.has_ended() {
            return Ok(execution);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The events after number `shown`, oldest first. Read from the end, so that a long history costs nothing.
async fn new_events(api: &Api, arn: &str, shown: u64) -> Result<Vec<Event>, CommandError> {
    let mut limit = 20;
    loop {
        let query = HistoryQuery { newest_first: true, after: shown, limit, ..HistoryQuery::default() };
        let mut events = api.history(arn, query).await?;
        let complete =
            events.len() < limit || events.last().is_some_and(|oldest| oldest.event_id == shown + 1);
        if complete {
            events.reverse();
            return Ok(events);
        }
        limit = limit.saturating_mul(4);
    }
}

/// Shows how an execution ended.
pub(super) fn print_end(execution: &Execution) -> Result<ExitCode, CommandError> {
    if execution.status == "SUCCEEDED" {
        output::print_line(execution.result.as_deref().unwrap_or("null"))?;
    } else {
        let error = execution.error.as_ref().map(ToString::to_string).unwrap_or_default();
        eprintln!("{}: {error}", execution.status);
    }
    Ok(exit_code(execution))
}

pub(super) fn exit_code(execution: &Execution) -> ExitCode {
    if execution.has_ended() && execution.status != "SUCCEEDED" {
        return ExitCode::from(NOT_SUCCEEDED);
    }
    ExitCode::SUCCESS
}

/// An event on one line.
pub(super) fn describe(event: &Event) -> String {
    let mut text = event.event_type.clone();
    if let Some(name) = event.name.as_deref().or(event.sub_type.as_deref()) {
        text.push_str(&format!(" {name}"));
    }
    let details = event.details();
    if let Some(attempt) = details.pointer("/RetryDetails/CurrentAttempt").filter(|attempt| **attempt != 1) {
        text.push_str(&format!(" (attempt {attempt})"));
    }
    if let Some(seconds) = details.get("Duration") {
        text.push_str(&format!(" {seconds}s"));
    }
    if let Some(id) = details.get("CallbackId").and_then(|id| id.as_str()) {
        text.push_str(&format!(" id {id}"));
    }
    if let Some(seconds) = details.pointer("/RetryDetails/NextAttemptDelaySeconds") {
        text.push_str(&format!(", next attempt in {seconds}s"));
    }
    if let Some(reason) = details.pointer("/Reason/Payload").and_then(|reason| reason.as_str()) {
        text.push_str(&format!(": {}", output::shortened(reason, VALUE)));
    }
    if let Some(error) = event.error() {
        text.push_str(&format!(": {}", output::shortened(&error.to_string(), VALUE)));
    } else if let Some(result) = event.result() {
        text.push_str(&format!(" = {}", output::shortened(result, VALUE)));
    }
    text
}
