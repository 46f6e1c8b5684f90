//! What can be counted over the findings.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kept, package};
use crate::agents::results::{DataPoint, Statement};
use crate::agents::terms::{self, Word};

/// How many frequent terms are named.
const TOP_TERMS: usize = 6;

pub(super) fn derive(
    kept: &[Kept],
    found: usize,
    topic: &[Word],
    key_statements: &[Statement],
) -> Vec<DataPoint> {
    let count = kept.len();
    let packages: BTreeSet<&str> = kept.iter().map(|it| package(&it.finding)).collect();
    let files: BTreeSet<&str> = kept.iter().map(|it| it.finding.file.as_str()).collect();
    let mut points = vec![
        point(
            "Passages analysed",
            count.to_string(),
            format!("{found} found, {} near duplicates", found - count),
        ),
        point("Independent packages", packages.len().to_string(), format!("in {} files", files.len())),
        agreement(key_statements),
        coverage(kept, topic),
        point("Lines covered", lines(kept).to_string(), "of the cited files".to_owned()),
    ];
    points.extend(topic.iter().map(|word| {
        let mentions = kept.iter().filter(|it| it.terms.contains(&word.term)).count();
        let share = mentions * 100 / count.max(1);
        point(
            &format!("Mentions of {}", word.surface),
            format!("{share} %"),
            format!("{mentions} of {count} passages"),
        )
    }));
    points.push(top_terms(kept, topic));
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for it in kept {
        *kinds.entry(it.finding.kind.as_str()).or_default() += 1;
    }
    points.extend(
        kinds
            .into_iter()
            .map(|(kind, of)| point(&format!("From {kind}"), of.to_string(), "passages".to_owned())),
    );
    points
}

fn point(name: &str, value: String, detail: String) -> DataPoint {
    DataPoint { name: name.to_owned(), value, detail }
}

fn agreement(key_statements: &[Statement]) -> DataPoint {
    let supported = key_statements.iter().filter(|it| it.agreement >= 2).count();
    let value = format!("{supported} of {}", key_statements.len());
    point("Agreement between packages", value, "key statements made by two or more".to_owned())
}

fn coverage(kept: &[Kept], topic: &[Word]) -> DataPoint {
    let covered = topic.iter().filter(|word| kept.iter().any(|it| it.terms.contains(&word.term))).count();
    point("Topic words covered", format!("{covered} of {}", topic.len()), "by any passage".to_owned())
}

/// Distinct lines: passages of one file may overlap.
fn lines(kept: &[Kept]) -> u64 {
    let mut ranges: Vec<(&str, u64, u64)> = kept
        .iter()
        .map(|it| (it.finding.file.as_str(), it.finding.line_start, it.finding.line_end))
        .collect();
    ranges.sort_unstable();
    let mut total = 0;
    let mut reached = ("", 0);
    for (file, start, end) in ranges {
        let already = if reached.0 == file { reached.1 } else { 0 };
        let first = start.max(already + 1);
        if end >= first {
            total += end - first + 1;
        }
        reached = (file, end.max(already));
    }
    total
}

fn top_terms(kept: &[Kept], topic: &[Word]) -> DataPoint {
    let mut counts: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for it in kept {
        for word in terms::distinct_words(&it.finding.text) {
            if topic.iter().all(|other| other.term != word.term) {
                counts.entry(word.term).or_insert((word.surface, 0)).1 += 1;
            }
        }
    }
    let mut ordered: Vec<(String, usize)> = counts.into_values().collect();
    ordered.sort_by(|(left_word, left), (right_word, right)| {
        right.cmp(left).then_with(|| left_word.cmp(right_word))
    });
    let named: Vec<String> =
        ordered.into_iter().take(TOP_TERMS).map(|(word, count)| format!("{word} ({count})")).collect();
    point("Frequent terms", named.join(", "), "passages with each".to_owned())
}
