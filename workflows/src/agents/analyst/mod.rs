//! The analyst: what the findings have in common, what they say, and what can be counted.

mod data_points;
mod duplicates;
mod statements;
mod themes;

use std::collections::BTreeSet;

use super::outcome::{FailureKind, Stopped, failed};
use super::progress::Progress;
use super::results::{Analysis, Finding, Reference, ResearchResult};
use super::terms;
use crate::a2a::Task;
use statements::Candidate;

/// A finding that says something no better finding says.
struct Kept {
    finding: Finding,
    reference: u64,
    /// References of findings that say the same, with their packages.
    also: Vec<(u64, String)>,
    /// The terms of title and text.
    terms: BTreeSet<String>,
    /// The terms of the text alone: titles are full of the names of files and items.
    text_terms: BTreeSet<String>,
}

/// Does the task. Blocks.
pub(super) fn analyze(
    task: &Task,
    research: ResearchResult,
    progress: &Progress,
) -> Result<Analysis, Stopped> {
    if research.findings.iter().all(|finding| finding.text.trim().is_empty()) {
        let message = "the research result has no findings with text; there is nothing to analyse";
        return Err(failed(FailureKind::InvalidInput, message));
    }
    let topic = terms::distinct_words(&task.topic);
    let found = research.findings.len();

    progress.begin("removing duplicates", found as u64);
    let (kept, references) = duplicates::remove(research.findings, progress)?;
    progress.begin("grouping", kept.len() as u64);
    let groups = themes::group(&kept, &topic);
    progress.begin("selecting statements", kept.len() as u64);
    let candidates = statements::candidates(&kept, &topic, progress)?;

    let everything: Vec<&Candidate> = candidates.iter().collect();
    let key_statements = statements::select(&everything, &kept, 8, 2);
    let themes = themes::describe(groups, &candidates, &kept);
    let data_points = data_points::derive(&kept, found, &topic, &key_statements);
    Ok(Analysis {
        topic: task.topic.clone(),
        key_statements,
        themes,
        data_points,
        duplicates_removed: (found - kept.len()) as u64,
        references,
        corpus: research.statistics.corpus,
    })
}

fn reference(number: u64, finding: &Finding) -> Reference {
    Reference {
        number,
        title: finding.title.clone(),
        file: finding.file.clone(),
        line_start: finding.line_start,
        line_end: finding.line_end,
        package: package(finding).to_owned(),
    }
}

/// What counts as one independent source; another researcher may know no packages.
fn package(finding: &Finding) -> &str {
    if finding.package.is_empty() { &finding.file } else { &finding.package }
}

/// How much two sets have in common, from 0 to 1.
fn similarity(left: &BTreeSet<String>, right: &BTreeSet<String>) -> f64 {
    let shared = left.intersection(right).count();
    let all = left.len() + right.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}
