//! Live progress on standard error: a spinner for a person, plain lines for a file.

use std::{
    collections::HashMap,
    io::{IsTerminal, Write},
    time::{Duration, SystemTime},
};

use durable_runtime::protocol::{OperationStatus, OperationType, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};

use super::render::{duration, status, waits_for};
use crate::host::{ExecutionView, OperationView};

/// Shows each operation once when it ends, and the one that is open all the time.
#[derive(Debug)]
pub(super) struct Progress {
    /// Whether somebody watches.
    is_live: bool,
    /// The spinner; none while a question has the terminal.
    bar: Option<ProgressBar>,
    /// What was said of each operation, by its place in the history.
    said: HashMap<usize, (OperationStatus, Option<u32>)>,
}

impl Progress {
    /// On standard error, live if that is a terminal.
    pub(super) fn new() -> Self {
        let mut progress = Self { is_live: std::io::stderr().is_terminal(), bar: None, said: HashMap::new() };
        progress.resume();
        progress
    }

    /// Says something that stays.
    pub(super) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            // A closed standard error is no reason to stop working.
            None => drop(writeln!(std::io::stderr(), "{text}")),
        }
    }

    /// Says what is new in a view.
    pub(super) fn show(&mut self, view: &ExecutionView) {
        let now = Timestamp::from(SystemTime::now());
        let mut news = Vec::new();
        for (place, operation) in view.operations.iter().enumerate() {
            // Contexts only group what is shown already.
            if operation.kind == OperationType::Context {
                continue;
            }
            let state = (operation.status, operation.attempts);
            if self.said.insert(place, state) == Some(state) {
                continue;
            }
            if let Some(text) = announcement(operation, !self.is_live, now) {
                news.push((operation.ended_at.unwrap_or(now), text));
            }
        }
        // Operations are in the order of their beginnings; a callback begins before the dispatch that it answers.
        news.sort_by_key(|(moment, _)| *moment);
        for (_, text) in news {
            self.line(&text);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(standing(view, now));
        }
    }

    /// Says in one line what had finished before `start`, so that it is not taken for work of this process.
    pub(super) fn skip_finished(&mut self, view: &ExecutionView, start: Timestamp) {
        let mut names = Vec::new();
        for (place, operation) in view.operations.iter().enumerate() {
            if operation.ended_at.is_some_and(|end| end < start) && operation.kind != OperationType::Context {
                self.said.insert(place, (operation.status, operation.attempts));
                names.push(operation.name.as_str());
            }
        }
        if !names.is_empty() {
            self.line(&format!("finished before, not run again: {}", names.join(", ")));
        }
    }

    /// Leaves the terminal to a question, or to whoever comes next.
    pub(super) fn pause(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Takes the terminal back.
    pub(super) fn resume(&mut self) {
        if self.is_live && self.bar.is_none() {
            let bar = ProgressBar::new_spinner();
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg}").expect("the template is constant and valid"),
            );
            bar.enable_steady_tick(Duration::from_millis(100));
            self.bar = Some(bar);
        }
    }
}

/// A line for a change worth keeping. Without a spinner, what begins is worth a line too.
fn announcement(operation: &OperationView, says_beginnings: bool, now: Timestamp) -> Option<String> {
    let name = &operation.name;
    let took = duration(operation.ended_at.unwrap_or(now).since(operation.started_at));
    let attempts = match operation.attempts {
        Some(attempts @ 2..) => format!(", {attempts} attempts"),
        _ => String::new(),
    };
    match operation.status {
        OperationStatus::Succeeded => Some(format!("✓ {name:<32} {took}{attempts}")),
        OperationStatus::Started => says_beginnings.then(|| {
            format!(
                "… {name:<32} {}",
                waits_for(operation, now)
                    .map_or_else(|| "running".to_owned(), |who| format!("waiting for {who}"))
            )
        }),
        OperationStatus::Pending | OperationStatus::Ready => {
            let error = operation.error.as_deref().unwrap_or("failed");
            let next = waits_for(operation, now).map(|next| format!("; {next}")).unwrap_or_default();
            Some(format!("↻ {name:<32} {error}{next}"))
        }
        other => {
            let error = operation.error.as_deref().unwrap_or_default();
            Some(format!("✗ {name:<32} {} after {took}{attempts}: {error}", status(other)))
        }
    }
}

/// What goes on right now, how long already, what it waits for, how often the code was invoked.
fn standing(view: &ExecutionView, now: Timestamp) -> String {
    let open = view
        .operations
        .iter()
        .rev()
        .find(|operation| operation.kind != OperationType::Context && !operation.status.is_terminal());
    let invocations = match view.invocations {
        1 => "1 invocation".to_owned(),
        more => format!("{more} invocations"),
    };
    match open {
        Some(operation) => {
            let elapsed = duration(now.since(operation.started_at));
            let waits = match waits_for(operation, now) {
                Some(who) if operation.due_at.is_none() => format!("waits for {who}, "),
                Some(due) => format!("{due}, "),
                None => String::new(),
            };
            let percent = view.workflow.progress_percent;
            format!("{}  {waits}{elapsed}, {invocations}, {percent} %", operation.name)
        }
        None => format!("{}  {invocations}", view.workflow.status),
    }
}
