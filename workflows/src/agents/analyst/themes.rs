//! Groups findings by what they have in common beyond the topic itself.

use std::collections::{BTreeMap, BTreeSet};

use super::statements::{self, Candidate};
use super::{Kept, package};
use crate::agents::results::Theme;
use crate::agents::terms::{self, Word};

/// Words of every documentation, which make no theme.
const GENERIC: &str = "add allow argument available behavior call cargo case check code contain crate create \
    current default define describe different directly doc documentation enum exist example field file first fn \
    follow function get give given handle implement implementation include inner instance instead item lib library \
    list main make manner mean method mod module name need new next note number object option parameter pass \
    possible provide really reference require result return returned rust second section set simple single source \
    specific struct support take time trait two type user value variant version want way work write";
const MOST_THEMES: usize = 7;
const STATEMENTS_PER_THEME: usize = 14;
const REST: &str = "Further findings";

/// Findings, by index, under one title.
pub(super) struct Group {
    title: String,
    findings: Vec<usize>,
}

/// Chooses shared words one after another, each time the one that gathers the most of what is left.
pub(super) fn group(kept: &[Kept], topic: &[Word]) -> Vec<Group> {
    let mut excluded = terms::term_set(GENERIC);
    excluded.extend(topic.iter().map(|word| word.term.clone()));
    let mut left: BTreeSet<usize> = (0..kept.len()).collect();
    let mut groups = Vec::new();
    let wanted = (kept.len() / 3).clamp(1, MOST_THEMES);
    while groups.len() < wanted {
        let mut gathered: BTreeMap<&str, (f64, Vec<usize>)> = BTreeMap::new();
        for (index, finding) in left.iter().filter_map(|index| kept.get(*index).map(|it| (*index, it))) {
            for term in finding.text_terms.iter().filter(|term| !excluded.contains(*term)) {
                let (weight, findings) = gathered.entry(term).or_default();
                *weight += finding.finding.score.max(0.05);
                findings.push(index);
            }
        }
        // A word in nearly every finding separates nothing.
        let most = (kept.len() * 3 / 5).max(2);
        let best = gathered
            .into_iter()
            .filter(|(_, (_, findings))| (2..=most).contains(&findings.len()))
            .max_by(|(left_term, (left, _)), (right_term, (right, _))| {
                left.total_cmp(right).then_with(|| right_term.cmp(left_term))
            });
        let Some((term, (_, findings))) = best else { break };
        for index in &findings {
            left.remove(index);
        }
        groups.push(Group { title: title(term, &findings, kept), findings });
        excluded.insert(term.to_owned());
    }
    if !left.is_empty() {
        groups.push(Group { title: REST.to_owned(), findings: left.into_iter().collect() });
    }
    groups
}

/// The most frequent way the group writes `term`, with its most frequent companion if it has one.
fn title(term: &str, findings: &[usize], kept: &[Kept]) -> String {
    let mut alone: BTreeMap<String, usize> = BTreeMap::new();
    let mut pairs: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings.iter().filter_map(|index| kept.get(*index)) {
        let words = terms::words(&finding.finding.text);
        for word in words.iter().filter(|word| word.term == term) {
            *alone.entry(word.surface.clone()).or_default() += 1;
        }
        let text = finding.finding.text.to_lowercase();
        for pair in words.windows(2) {
            let [first, second] = pair else { continue };
            let phrase = format!("{} {}", first.surface, second.surface);
            // Neighbours among the words that matter may stand apart in the text.
            if (first.term == term) != (second.term == term) && text.contains(&phrase) {
                *pairs.entry(phrase).or_default() += 1;
            }
        }
    }
    let most = |counts: BTreeMap<String, usize>, least: usize| {
        counts
            .into_iter()
            .filter(|(_, count)| *count >= least)
            .max_by(|(left_word, left), (right_word, right)| {
                left.cmp(right).then_with(|| right_word.cmp(left_word))
            })
            .map(|(word, _)| word)
    };
    let words = most(pairs, 3).or_else(|| most(alone, 1)).unwrap_or_else(|| term.to_owned());
    let mut characters = words.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or(words)
}

/// The groups with their statements, the largest first and the rest last. Groups with nothing to quote go.
pub(super) fn describe(mut groups: Vec<Group>, candidates: &[Candidate], kept: &[Kept]) -> Vec<Theme> {
    groups.sort_by_key(|group| (group.title == REST, std::cmp::Reverse(group.findings.len())));
    groups
        .into_iter()
        .map(|Group { title, findings }| {
            let own: Vec<&Candidate> =
                candidates.iter().filter(|candidate| findings.contains(&candidate.finding)).collect();
            let members: Vec<&Kept> = findings.iter().filter_map(|index| kept.get(*index)).collect();
            let packages: BTreeSet<String> =
                members.iter().map(|member| package(&member.finding).to_owned()).collect();
            Theme {
                title,
                packages: packages.into_iter().collect(),
                references: members.iter().map(|member| member.reference).collect(),
                statements: statements::select(&own, kept, STATEMENTS_PER_THEME, 3),
            }
        })
        .filter(|theme| !theme.statements.is_empty())
        .collect()
}
