//! The operations of an execution on a line of time, made from its events.

use std::collections::HashMap;

use durable_runtime::protocol::Timestamp;

use super::output;
use crate::client::Event;

/// Characters of the bars.
const WIDTH: usize = 32;
/// Characters of a value or error.
const NOTE: usize = 60;

pub(super) struct Timeline {
    operations: Vec<Operation>,
    begins: Timestamp,
    ends: Timestamp,
}

struct Operation {
    name: String,
    kind: String,
    depth: usize,
    status: &'static str,
    attempts: u64,
    started: Timestamp,
    ended: Option<Timestamp>,
    note: String,
}

impl Timeline {
    pub(super) fn new(events: &[Event], begins: Timestamp, ends: Timestamp) -> Self {
        let mut operations: Vec<Operation> = Vec::new();
        let mut positions: HashMap<&str, usize> = HashMap::new();
        for event in events {
            let Some(id) = event.id.as_deref() else { continue };
            let Some((kind, what)) = split(&event.event_type) else { continue };
            let depth = event
                .parent_id
                .as_deref()
                .and_then(|parent| positions.get(parent))
                .and_then(|parent| operations.get(*parent))
                .map_or(0, |parent| parent.depth + 1);
            let position = *positions.entry(id).or_insert_with(|| {
                operations.push(Operation::new(event, kind, depth));
                operations.len() - 1
            });
            if let Some(operation) = operations.get_mut(position) {
                operation.note_event(event, what);
            }
        }
        Self { operations, begins, ends }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let total = output::amount(self.ends.since(self.begins));
        let scale = format!("0{:─>width$}", total, width = WIDTH - 1);
        let header =
            ["OPERATION".into(), "KIND".into(), "STATUS".into(), "TIME".into(), scale, String::new()];
        std::iter::once(header.to_vec())
            .chain(self.operations.iter().map(|operation| self.row(operation)))
            .collect()
    }

    fn row(&self, operation: &Operation) -> Vec<String> {
        let status = match operation.attempts {
            0 | 1 => operation.status.to_owned(),
            attempts => format!("{} ({attempts} attempts)", operation.status),
        };
        let until = operation.ended.unwrap_or(self.ends);
        vec![
            format!("{:indent$}{}", "", operation.name, indent = operation.depth * 2),
            operation.kind.clone(),
            status,
            output::amount(until.since(operation.started)),
            self.bar(operation.started, until, operation.ended.is_some()),
            operation.note.clone(),
        ]
    }

    fn bar(&self, started: Timestamp, until: Timestamp, has_ended: bool) -> String {
        let total = self.ends.since(self.begins).as_secs_f64().max(0.001);
        // Rounds down and saturates; both ends are inside of the whole.
        let column = |moment: Timestamp| {
            let share = moment.since(self.begins).as_secs_f64() / total;
            ((share * WIDTH as f64) as usize).min(WIDTH - 1)
        };
        let (first, last) = (column(started), column(until));
        let fill = if has_ended { '█' } else { '░' };
        (0..WIDTH).map(|cell| if (first..=last).contains(&cell) { fill } else { ' ' }).collect()
    }
}

impl Operation {
    fn new(event: &Event, kind: &str, depth: usize) -> Self {
        let id = event.id.as_deref().unwrap_or_default();
        Self {
            name: event.name.clone().unwrap_or_else(|| output::shortened(id, 12)),
            kind: event.sub_type.clone().unwrap_or_else(|| kind.to_owned()),
            depth,
            status: "started",
            attempts: 0,
            started: event.event_timestamp,
            ended: None,
            note: String::new(),
        }
    }

    fn note_event(&mut self, event: &Event, what: &str) {
        let details = event.details();
        if let Some(attempt) =
            details.pointer("/RetryDetails/CurrentAttempt").and_then(serde_json::Value::as_u64)
        {
            self.attempts = self.attempts.max(attempt);
        }
        let goes_on = details.pointer("/RetryDetails/NextAttemptDelaySeconds").is_some();
        self.status = match what {
            "Started" => "started",
            _ if goes_on => "pending",
            "Succeeded" => "succeeded",
            "Failed" => "failed",
            "TimedOut" => "timed out",
            "Cancelled" => "cancelled",
            _ => "stopped",
        };
        self.ended = (what != "Started" && !goes_on).then_some(event.event_timestamp);
        if let Some(error) = event.error() {
            self.note = output::shortened(&error.to_string(), NOTE);
        } else if let Some(result) = event.result() {
            self.note = output::shortened(result, NOTE);
        } else if let Some(id) = details.get("CallbackId").and_then(serde_json::Value::as_str) {
            self.note = format!("id {id}");
        }
    }
}

/// `StepStarted` is (`Step`, `Started`); `None` for what is no event of an operation.
fn split(event_type: &str) -> Option<(&str, &str)> {
    const ENDS: [&str; 6] = ["Started", "Succeeded", "Failed", "TimedOut", "Cancelled", "Stopped"];
    let end = ENDS.into_iter().find(|end| event_type.ends_with(end))?;
    let kind = event_type.strip_suffix(end)?;
    (kind != "Execution").then_some((kind, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<Event> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn operations_are_rows_with_their_attempts_and_their_parents() {
        let events = events(
            r#"[
            {"EventId":1,"EventType":"ExecutionStarted","Id":"x","EventTimestamp":10},
            {"EventId":2,"EventType":"ContextStarted","Id":"c","Name":"group","SubType":"Map","EventTimestamp":10,"ContextStartedDetails":{}},
            {"EventId":3,"EventType":"StepStarted","Id":"s","Name":"fetch","ParentId":"c","EventTimestamp":10,"StepStartedDetails":{}},
            {"EventId":4,"EventType":"StepFailed","Id":"s","ParentId":"c","EventTimestamp":11,
             "StepFailedDetails":{"Error":{"Payload":{"ErrorMessage":"boom"}},"RetryDetails":{"CurrentAttempt":1,"NextAttemptDelaySeconds":1}}},
            {"EventId":5,"EventType":"StepSucceeded","Id":"s","ParentId":"c","EventTimestamp":14,
             "StepSucceededDetails":{"Result":{"Payload":"7"},"RetryDetails":{"CurrentAttempt":2}}}
            ]"#,
        );
        let timeline = Timeline::new(&events, Timestamp::from_millis(10_000), Timestamp::from_millis(18_000));
        let rows = timeline.rows();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[1][..4], ["group", "Map", "started", "8.0s"]);
        assert!(rows[1][4].chars().all(|cell| cell == '░'), "{}", rows[1][4]);
        assert_eq!(rows[2][..4], ["  fetch", "Step", "succeeded (2 attempts)", "4.0s"]);
        assert_eq!(rows[2][4].chars().filter(|cell| *cell == '█').count(), WIDTH / 2 + 1);
        assert_eq!(rows[2][5], "7");
    }
}
