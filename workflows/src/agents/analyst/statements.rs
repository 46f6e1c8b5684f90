//! Sentences worth quoting, and who else says the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kept, package, similarity};
use crate::agents::outcome::Stopped;
use crate::agents::progress::Progress;
use crate::agents::results::Statement;
use crate::agents::terms::{self, Word};

const FEWEST_WORDS: usize = 5;
const MOST_WORDS: usize = 45;
/// From here on two sentences support each other.
const AGREES: f64 = 0.35;
/// From here on the second one adds nothing.
const REPEATS: f64 = 0.5;
/// How many other places a statement names.
const MOST_SUPPORT: usize = 3;

/// A sentence that could be quoted.
pub(super) struct Candidate {
    /// Index of its finding.
    pub(super) finding: usize,
    text: String,
    terms: BTreeSet<String>,
    score: f64,
}

/// All sentences worth considering, best first.
pub(super) fn candidates(
    kept: &[Kept],
    topic: &[Word],
    progress: &Progress,
) -> Result<Vec<Candidate>, Stopped> {
    let topic: BTreeSet<&str> = topic.iter().map(|word| word.term.as_str()).collect();
    let mut found = Vec::new();
    for (index, Kept { finding, .. }) in kept.iter().enumerate() {
        progress.advance()?;
        let sentences = terms::sentences(&finding.text);
        let mut quotable: Vec<(usize, String)> = sentences
            .iter()
            .enumerate()
            .filter(|(_, sentence)| is_quotable(sentence))
            .map(|(position, sentence)| (position, (*sentence).to_owned()))
            .collect();
        if quotable.is_empty() {
            quotable.extend(excerpt(&finding.text).map(|text| (0, text)));
        }
        for (position, text) in quotable {
            let terms = terms::term_set(&text);
            let on_topic = topic.iter().filter(|term| terms.contains(**term)).count();
            let coverage = on_topic as f64 / topic.len().max(1) as f64;
            // The first sentence of a passage says what the passage is about.
            let opening = if position == 0 { 0.25 } else { 0.0 };
            let dependent = if leans_on_another(&text) { 0.5 } else { 0.0 };
            let score = 2.0 * coverage + finding.score + opening - dependent;
            found.push(Candidate { finding: index, text, terms, score });
        }
    }
    found.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.finding.cmp(&right.finding)));
    Ok(found)
}

/// Up to `wanted` of `candidates`, none saying the same, no more than `per_finding` of one finding.
pub(super) fn select(
    candidates: &[&Candidate],
    kept: &[Kept],
    wanted: usize,
    per_finding: usize,
) -> Vec<Statement> {
    let mut chosen: Vec<&Candidate> = Vec::new();
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    for candidate in candidates {
        if chosen.len() == wanted {
            break;
        }
        let from_here = taken.entry(candidate.finding).or_default();
        if *from_here < per_finding
            && chosen.iter().all(|other| similarity(&other.terms, &candidate.terms) < REPEATS)
        {
            *from_here += 1;
            chosen.push(candidate);
        }
    }
    chosen.into_iter().filter_map(|candidate| statement(candidate, candidates, kept)).collect()
}

fn statement(candidate: &Candidate, all: &[&Candidate], kept: &[Kept]) -> Option<Statement> {
    let own = kept.get(candidate.finding)?;
    let mut packages = BTreeSet::from([package(&own.finding)]);
    let mut references = vec![own.reference];
    let copies = own.also.iter().map(|(reference, package)| (*reference, package.as_str()));
    let agreeing = all
        .iter()
        .filter(|other| other.finding != candidate.finding)
        .filter(|other| similarity(&other.terms, &candidate.terms) >= AGREES)
        .filter_map(|other| kept.get(other.finding))
        .map(|other| (other.reference, package(&other.finding)));
    for (reference, package) in copies.chain(agreeing) {
        packages.insert(package);
        if references.len() <= MOST_SUPPORT && !references.contains(&reference) {
            references.push(reference);
        }
    }
    Some(Statement {
        text: candidate.text.clone(),
        references,
        agreement: packages.len() as u64,
        score: candidate.score,
    })
}

/// A whole sentence of prose, neither a fragment nor a wall.
fn is_quotable(sentence: &str) -> bool {
    let words = terms::count_words(sentence);
    let letters = sentence.chars().filter(|it| it.is_alphabetic() || it.is_whitespace()).count();
    (FEWEST_WORDS..=MOST_WORDS).contains(&words)
        && sentence.starts_with(|it: char| it.is_uppercase() || it.is_ascii_digit() || it == '`')
        && sentence.ends_with(['.', '!'])
        && letters * 10 >= sentence.chars().count() * 7
        && !sentence.contains("://")
        && sentence.matches('`').count().is_multiple_of(2)
}

/// Whether a sentence points back at one that won't be quoted with it.
fn leans_on_another(sentence: &str) -> bool {
    const POINTERS: [&str; 22] = [
        "this",
        "these",
        "that",
        "those",
        "it",
        "they",
        "such",
        "which",
        "he",
        "she",
        "however",
        "also",
        "but",
        "and",
        "or",
        "so",
        "then",
        "therefore",
        "otherwise",
        "instead",
        "same",
        "additionally",
    ];
    let mut words = sentence.split_whitespace().map(|word| word.trim_matches(',').to_lowercase());
    let first = words.next().unwrap_or_default();
    POINTERS.contains(&first.as_str()) || words.take(3).any(|word| word == "this" || word == "these")
}

/// The beginning of a passage that has no whole sentence.
fn excerpt(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let kept = words.get(..words.len().min(MOST_WORDS))?;
    if kept.len() < 3 {
        return None;
    }
    let ellipsis = if kept.len() < words.len() { " …" } else { "" };
    Some(format!("{}{ellipsis}", kept.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_points_back_is_recognised() {
        assert!(leans_on_another("This makes it durable."));
        assert!(leans_on_another("To account for this, it yields."));
        assert!(!leans_on_another("A checkpoint makes the step durable, and this is why."));
    }

    #[test]
    fn fragments_links_and_walls_are_not_quoted() {
        assert!(is_quotable("A step runs at least once."));
        assert!(!is_quotable("runs at least once more."));
        assert!(!is_quotable("See https://example.com for all the details."));
        assert!(!is_quotable(&format!("Word{}.", " word".repeat(60))));
    }
}
