//! Log lines against what is expected of them.

use serde_json::{Map, Value};

use super::{
    pattern::{Mismatch, equal, finds},
    requirement::ExpectedLog,
    variables::Variables,
};

/// A line that a function has logged.
#[derive(Clone, Debug)]
pub struct LogRecord {
    fields: Map<String, Value>,
    /// Where it stands among the others; equal for lines of the same moment.
    order: i64,
}

impl LogRecord {
    /// A line of text: a JSON object has fields, anything else is a message.
    #[must_use]
    pub fn parse(line: &str, order: i64) -> Self {
        let fields = match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::from_iter([("message".to_owned(), Value::from(line))]),
        };
        Self { fields, order }
    }

    /// The execution that it belongs to, if it says so.
    #[must_use]
    pub fn execution_arn(&self) -> Option<&str> {
        let arn = self.fields.get("durableExecutionArn").or_else(|| self.fields.get("executionArn"));
        arn.and_then(Value::as_str)
    }
}

pub(super) fn match_logs(
    expected: &[ExpectedLog],
    records: &[LogRecord],
    variables: &Variables,
) -> Vec<Mismatch> {
    expected.iter().flat_map(|expected| match_log(expected, records, variables)).collect()
}

fn match_log(expected: &ExpectedLog, records: &[LogRecord], variables: &Variables) -> Vec<Mismatch> {
    let found = matching(&expected.fields, records, variables);
    let shown = variables.fill(&Value::Object(expected.fields.clone()));
    let mut mismatches = Vec::new();
    let (least, most) = bounds(expected);
    if found.len() < least || found.len() > most {
        let wanted = match (least, most) {
            (least, usize::MAX) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        mismatches
            .push(Mismatch(format!("{} lines like {shown} were logged, expected {wanted}", found.len())));
    }
    for (anchors, is_after) in [(&expected.after, true), (&expected.before, false)] {
        for anchor in anchors {
            let anchored = matching(anchor, records, variables);
            let anchor = variables.fill(&Value::Object(anchor.clone()));
            if anchored.is_empty() {
                mismatches
                    .push(Mismatch(format!("no line like {anchor} was logged, which {shown} refers to")));
            }
            let in_order = |record: &LogRecord, anchor: &LogRecord| {
                if is_after { record.order >= anchor.order } else { record.order <= anchor.order }
            };
            if !found.iter().all(|record| anchored.iter().all(|anchor| in_order(record, anchor))) {
                let relation = if is_after { "after" } else { "before" };
                mismatches
                    .push(Mismatch(format!("a line like {shown} is not {relation} the one like {anchor}")));
            }
        }
    }
    mismatches
}

/// How many lines are wanted: at least one unless the requirement says otherwise.
fn bounds(expected: &ExpectedLog) -> (usize, usize) {
    match (expected.count, expected.min_count, expected.max_count) {
        (Some(count), ..) => (count, count),
        (None, None, None) => (1, usize::MAX),
        (None, least, most) => (least.unwrap_or(0), most.unwrap_or(usize::MAX)),
    }
}

fn matching<'a>(
    fields: &Map<String, Value>,
    records: &'a [LogRecord],
    variables: &Variables,
) -> Vec<&'a LogRecord> {
    let fits = |record: &&LogRecord| {
        fields.iter().all(|(name, expected)| {
            record.fields.get(name).is_some_and(|actual| fits(&variables.fill(expected), actual))
        })
    };
    records.iter().filter(fits).collect()
}

fn fits(expected: &Value, actual: &Value) -> bool {
    match expected {
        Value::String(text) => match text.strip_prefix('/').and_then(|text| text.strip_suffix('/')) {
            Some(expression) => finds(expression, actual),
            None => actual.as_str().is_some_and(|actual| actual.trim() == text.trim()),
        },
        _ => equal(expected, actual),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdicts(expected: Value, lines: &[&str]) -> usize {
        let records: Vec<LogRecord> =
            lines.iter().zip(0..).map(|(line, order)| LogRecord::parse(line, order)).collect();
        let expected: ExpectedLog = serde_json::from_value(expected).unwrap();
        match_log(&expected, &records, &Variables::default()).len()
    }

    #[test]
    fn lines_are_counted_by_their_fields() {
        let lines = [r#"{"hook":"start","first":true}"#, "plain text", r#"{"hook":"end","n":2}"#];
        assert_eq!(verdicts(json!({"match": {"hook": "start", "first": true}, "count": 1}), &lines), 0);
        assert_eq!(verdicts(json!({"match": {"hook": "start", "first": "true"}}), &lines), 1);
        assert_eq!(verdicts(json!({"match": {"message": "/^plain/"}}), &lines), 0);
        assert_eq!(verdicts(json!({"match": {"n": r"/^\d$/"}, "min_count": 1}), &lines), 0);
        assert_eq!(verdicts(json!({"match": {"hook": "/.*/"}, "count": 1}), &lines), 1);
    }

    #[test]
    fn anchors_are_there_and_on_their_side() {
        let lines = [r#"{"m":"a"}"#, r#"{"m":"b"}"#];
        assert_eq!(verdicts(json!({"match": {"m": "b"}, "after": [{"m": "a"}]}), &lines), 0);
        assert_eq!(verdicts(json!({"match": {"m": "a"}, "after": [{"m": "b"}]}), &lines), 1);
        assert_eq!(verdicts(json!({"match": {"m": "a"}, "before": [{"m": "b"}]}), &lines), 0);
        assert_eq!(verdicts(json!({"match": {"m": "a"}, "after": [{"m": "c"}]}), &lines), 1);
    }
}
