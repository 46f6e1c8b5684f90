//! Near duplicates: two versions of one package, a README repeated as crate documentation.

use std::collections::BTreeSet;

use super::{Kept, package, reference};
use crate::agents::outcome::Stopped;
use crate::agents::progress::Progress;
use crate::agents::results::{Finding, Reference};
use crate::agents::terms;

/// Words to a shingle; runs of three tell a copied text from one on the same subject.
const SHINGLE: usize = 3;
/// How much of the shorter text must be in the longer one.
const SAME: f64 = 0.7;

/// Keeps the best finding of each group that says the same, and numbers all of them: those kept first.
pub(super) fn remove(
    mut findings: Vec<Finding>,
    progress: &Progress,
) -> Result<(Vec<Kept>, Vec<Reference>), Stopped> {
    findings.sort_by(|left, right| right.score.total_cmp(&left.score));
    let mut kept: Vec<(Finding, BTreeSet<String>, Vec<Finding>)> = Vec::new();
    for finding in findings {
        progress.advance()?;
        let shingles = shingles(&finding.text);
        match kept.iter_mut().find(|(_, others, _)| is_same(others, &shingles)) {
            Some((_, _, duplicates)) => duplicates.push(finding),
            None => kept.push((finding, shingles, Vec::new())),
        }
    }

    let mut references: Vec<Reference> =
        (1..).zip(&kept).map(|(number, (finding, ..))| reference(number, finding)).collect();
    let mut next = references.len() as u64;
    let kept = (1..)
        .zip(kept)
        .map(|(number, (finding, _, duplicates))| {
            let also = duplicates
                .iter()
                .map(|duplicate| {
                    next += 1;
                    references.push(reference(next, duplicate));
                    (next, package(duplicate).to_owned())
                })
                .collect();
            let text_terms = terms::term_set(&finding.text);
            let terms = terms::term_set(&finding.title).union(&text_terms).cloned().collect();
            Kept { finding, reference: number, also, terms, text_terms }
        })
        .collect();
    Ok((kept, references))
}

fn shingles(text: &str) -> BTreeSet<String> {
    let words: Vec<String> = terms::words(text).into_iter().map(|word| word.term).collect();
    if words.len() < SHINGLE {
        return BTreeSet::from([words.join(" ")]);
    }
    words.windows(SHINGLE).map(|run| run.join(" ")).collect()
}

fn is_same(left: &BTreeSet<String>, right: &BTreeSet<String>) -> bool {
    let shorter = left.len().min(right.len());
    shorter > 0 && left.intersection(right).count() as f64 / shorter as f64 >= SAME
}
