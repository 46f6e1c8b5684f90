//! Tables and the timeline, as text.

use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use durable_runtime::protocol::{OperationStatus, OperationType, Timestamp};

use crate::host::{ExecutionView, ListView, OperationView};

const TIMELINE_WIDTH: usize = 48;
const LONGEST_TOPIC: usize = 60;

/// A page of workflows.
pub(super) fn list(page: &ListView) -> String {
    if page.workflows.is_empty() {
        return "no workflows".to_owned();
    }
    let mut table = table(&["id", "status", "progress", "current step", "created", "topic"]);
    for workflow in &page.workflows {
        table.add_row([
            workflow.workflow_id.to_string(),
            workflow.status.to_string(),
            format!("{} %", workflow.progress_percent),
            workflow.current_step.clone().unwrap_or_default(),
            clock(workflow.created_at),
            shortened(&workflow.topic, LONGEST_TOPIC),
        ]);
    }
    match &page.next_cursor {
        Some(cursor) => format!("{table}\nmore: --cursor {cursor}"),
        None => table.to_string(),
    }
}

/// One workflow with the operations of its execution.
pub(super) fn execution(view: &ExecutionView) -> String {
    let workflow = &view.workflow;
    let mut text = format!(
        "{}  {}\n{}\nprogress {} %, {} invocations, created {}, updated {}\n",
        workflow.workflow_id,
        workflow.status,
        workflow.topic,
        workflow.progress_percent,
        view.invocations,
        workflow.created_at,
        workflow.updated_at,
    );
    for (label, value) in [
        ("current step", &workflow.current_step),
        ("review", &workflow.review_url),
        ("comment", &workflow.comment),
        ("report", &workflow.report_path),
        ("report link", &workflow.report_url),
        ("error", &workflow.error),
    ] {
        if let Some(value) = value {
            line(&mut text, format_args!("{label}: {value}"));
        }
    }
    let now = Timestamp::from(SystemTime::now());
    line(&mut text, format_args!("\n{}", operations(&view.operations, now)));
    line(&mut text, format_args!("\ntimeline\n{}", timeline(&view.operations, now)));
    if !view.audit.is_empty() {
        line(&mut text, format_args!("status"));
        for entry in &view.audit {
            let from = entry.from.map_or_else(|| "-".to_owned(), |status| status.to_string());
            line(&mut text, format_args!("  {}  {from} -> {}  by {}", entry.at, entry.to, entry.who));
        }
    }
    if !view.callbacks.is_empty() {
        line(&mut text, format_args!("callbacks"));
        for callback in &view.callbacks {
            let (status, answer) = (&callback.status, &callback.answer);
            line(&mut text, format_args!("  {}  {status:<9}  {answer}  {}", callback.at, callback.token));
        }
    }
    text
}

fn operations(operations: &[OperationView], now: Timestamp) -> Table {
    let mut table =
        table(&["operation", "kind", "status", "attempts", "start", "duration", "waits for / error"]);
    for operation in operations {
        table.add_row([
            indented(operation),
            operation.kind.to_string(),
            status(operation.status).to_owned(),
            operation.attempts.map(|attempts| attempts.to_string()).unwrap_or_default(),
            clock(operation.started_at),
            duration(operation.ended_at.unwrap_or(now).since(operation.started_at)),
            remark(operation, now),
        ]);
    }
    table
}

fn remark(operation: &OperationView, now: Timestamp) -> String {
    let waits = (!operation.status.is_terminal()).then(|| waits_for(operation, now)).flatten();
    match (&operation.error, waits) {
        (Some(error), Some(waits)) => format!("{waits}; {error}"),
        (Some(error), None) => error.clone(),
        (None, waits) => waits.unwrap_or_default(),
    }
}

/// What an open operation waits for, in words.
pub(super) fn waits_for(operation: &OperationView, now: Timestamp) -> Option<String> {
    if operation.status.is_terminal() {
        return None;
    }
    if let Some(due) = operation.due_at {
        let what = if operation.kind == OperationType::Step { "next attempt" } else { "due" };
        return Some(format!("{what} in {}", duration(due.since(now))));
    }
    match operation.kind {
        OperationType::Callback => Some(match operation.name.as_str() {
            "human_approval" => "a person's decision".to_owned(),
            "research_phase_await" => "the researcher".to_owned(),
            "analysis_phase_await" => "the analyst".to_owned(),
            "writing_phase_await" => "the writer".to_owned(),
            _ => "its callback".to_owned(),
        }),
        _ => None,
    }
}

/// One bar for each operation, all on the same scale of time.
fn timeline(operations: &[OperationView], now: Timestamp) -> String {
    let end_of = |operation: &OperationView| operation.ended_at.unwrap_or(now);
    let Some(begin) = operations.iter().map(|operation| operation.started_at).min() else {
        return "  nothing recorded yet\n".to_owned();
    };
    let end = operations.iter().map(end_of).max().unwrap_or(now);
    let total = end.since(begin).as_millis().max(1) as f64;
    let column = |moment: Timestamp| {
        // A share of the width, so it fits.
        ((moment.since(begin).as_millis() as f64 / total) * (TIMELINE_WIDTH - 1) as f64).round() as usize
    };
    let widest = operations.iter().map(|operation| indented(operation).chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for operation in operations {
        let (from, to) = (column(operation.started_at), column(end_of(operation)));
        let symbol = match (operation.kind, operation.status.is_terminal()) {
            (_, false) => '~',
            (OperationType::Callback | OperationType::Wait, true) => '.',
            (OperationType::Context, true) => '-',
            (_, true) => '#',
        };
        let bar: String = std::iter::repeat_n(symbol, to.saturating_sub(from) + 1).collect();
        line(
            &mut text,
            format_args!(
                "  {:<widest$} |{:>from$}{bar:<rest$}|",
                indented(operation),
                "",
                rest = TIMELINE_WIDTH - from
            ),
        );
    }
    line(
        &mut text,
        format_args!(
            "  {:<widest$}  0{:>width$}",
            "",
            duration(end.since(begin)),
            width = TIMELINE_WIDTH - 1
        ),
    );
    line(&mut text, format_args!("  # step   . suspended   - context   ~ open"));
    text
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().copied());
    table
}

fn indented(operation: &OperationView) -> String {
    format!("{}{}", "  ".repeat(operation.depth), operation.name)
}

pub(super) fn status(status: OperationStatus) -> &'static str {
    match status {
        OperationStatus::Started => "started",
        OperationStatus::Pending => "pending",
        OperationStatus::Ready => "ready",
        OperationStatus::Succeeded => "succeeded",
        OperationStatus::Failed => "failed",
        OperationStatus::Cancelled => "cancelled",
        OperationStatus::TimedOut => "timed out",
        OperationStatus::Stopped => "stopped",
        OperationStatus::Unknown => "unknown",
    }
}

/// Two units at most: nobody needs the seconds of a day.
pub(super) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{}.{} s", seconds, (millis % 1000) / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Date and time to the second, UTC.
fn clock(moment: Timestamp) -> String {
    moment.to_string().chars().take(19).collect::<String>().replace('T', " ")
}

fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest - 1).chain(['…']).collect()
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `String` can't fail.
    let _ = writeln!(text, "{arguments}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(name: &str, kind: OperationType, from: i64, to: Option<i64>) -> OperationView {
        OperationView {
            name: name.into(),
            kind,
            status: if to.is_some() { OperationStatus::Succeeded } else { OperationStatus::Started },
            depth: 0,
            attempts: None,
            started_at: Timestamp::from_millis(from),
            ended_at: to.map(Timestamp::from_millis),
            due_at: None,
            error: None,
        }
    }

    #[test]
    fn bars_lie_where_their_operations_were() {
        let operations = [
            operation("first", OperationType::Step, 0, Some(1000)),
            operation("second", OperationType::Callback, 1000, Some(2000)),
            operation("third", OperationType::Step, 2000, None),
        ];
        let text = timeline(&operations, Timestamp::from_millis(3000));
        let lines: Vec<_> = text.lines().collect();
        let bars: Vec<_> = lines[..3].iter().map(|line| line.split('|').nth(1).unwrap()).collect();
        for bar in &bars {
            assert_eq!(bar.chars().count(), TIMELINE_WIDTH, "{text}");
        }
        assert!(bars[0].starts_with("####") && bars[0].ends_with("   "));
        assert!(bars[1].starts_with("   ") && bars[1].contains("...") && bars[1].ends_with("   "));
        assert!(bars[2].ends_with("~~~~"));
        assert!(lines[3].ends_with("3.0 s"));
    }

    #[test]
    fn durations_are_short() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1500, "1.5 s"),
            (61_000, "1 min 1 s"),
            (7_260_000, "2 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn an_open_callback_says_whom_it_waits_for() {
        let open = operation("human_approval", OperationType::Callback, 0, None);
        assert_eq!(waits_for(&open, Timestamp::from_millis(5)).unwrap(), "a person's decision");
        let closed = operation("human_approval", OperationType::Callback, 0, Some(1));
        assert_eq!(waits_for(&closed, Timestamp::from_millis(5)), None);
    }
}
