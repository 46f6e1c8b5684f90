//! The writer: a Markdown report within the word limit, every statement with its place.

mod draft;
mod modelled;

pub(super) use modelled::write_with_model;

use super::outcome::{AgentFailure, FailureKind};
use super::results::{Analysis, Report};
use super::terms::count_words;
use crate::a2a::{Depth, Task};
use draft::Draft;

/// The rule of the workflow's input; below it there is no room for a statement with its source.
const LOWEST_LIMIT: u32 = 100;

/// How many key statements make the summary.
const SUMMARY: usize = 5;

/// The most words the report may have: as asked for, or what the depth suggests.
fn word_limit(task: &Task) -> Result<usize, AgentFailure> {
    let limit = task.parameters.word_limit.unwrap_or(match task.parameters.depth {
        Depth::Basic => 600,
        Depth::Standard => 1_500,
        Depth::Comprehensive => 4_000,
    });
    if limit < LOWEST_LIMIT {
        let message =
            format!("`parameters.word_limit` is {limit}; a report needs at least {LOWEST_LIMIT} words");
        return Err(AgentFailure::new(FailureKind::InvalidInput, message));
    }
    Ok(limit as usize)
}

/// Composes the report from quotations. Blocks.
///
/// What matters most is put in first, and each piece only if the whole report, rendered with it, still
/// keeps the limit: sources are part of the report, and a statement brings its own.
pub(super) fn write(task: &Task, analysis: &Analysis) -> Result<Report, AgentFailure> {
    let limit = word_limit(task)?;
    if analysis.key_statements.is_empty() {
        let message = "the analysis has no key statements; there is nothing to report";
        return Err(AgentFailure::new(FailureKind::InvalidInput, message));
    }
    let mut draft = Draft::new(&task.topic, analysis, limit / 5);
    let fits = |draft: &Draft<'_>| count_words(&draft.render().text) <= limit;

    let summary = analysis.key_statements.iter().take(SUMMARY);
    let (first, later): (Vec<_>, Vec<_>) = summary.enumerate().partition(|(position, _)| *position < 2);
    for (_, statement) in first {
        draft.try_statement(None, statement, fits);
    }
    // A small report is better with another sentence than with a table.
    let table_from = 250;
    let most_rows = if limit < table_from { 0 } else { limit / 50 };
    for row in analysis.data_points.iter().take(most_rows) {
        draft.try_data_point(row, fits);
    }
    for (_, statement) in later {
        draft.try_statement(None, statement, fits);
    }
    // In turns, so that a tight limit shortens all themes rather than drop the last.
    let longest = analysis.themes.iter().map(|theme| theme.statements.len()).max().unwrap_or(0);
    for turn in 0..longest {
        for (section, theme) in analysis.themes.iter().enumerate() {
            if let Some(statement) = theme.statements.get(turn) {
                draft.try_statement(Some(section), statement, fits);
            }
        }
    }
    if draft.is_empty() {
        let message =
            format!("not even one statement with its source fits into {limit} words; raise `word_limit`");
        return Err(AgentFailure::new(FailureKind::InvalidInput, message));
    }
    let rendered = draft.render();
    Ok(Report {
        topic: task.topic.clone(),
        format: "markdown".to_owned(),
        word_count: count_words(&rendered.text) as u64,
        word_limit: limit as u64,
        report: rendered.text,
        references: rendered.references,
        extractive: true,
    })
}
