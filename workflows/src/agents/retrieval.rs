//! What the index is asked for a topic, and how the answers become one ranking.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocId, Score, SegmentReader, Term};

use super::index::{CorpusIndex, PLACE, package_name, unusable};
use super::outcome::Stopped;
use super::results::{DocumentKind, Finding, SourceUse};
use super::terms::{self, Word};
use crate::a2a::Depth;

/// A word in a heading tells more of a passage than one in its body.
const TITLE_BOOST: f32 = 1.5;
/// The constant of reciprocal rank fusion; 60 is what its authors found and everybody uses.
const FUSION: f64 = 60.0;
/// Feedback: how many of the first passages are looked at, and how many of their terms are tried.
const FEEDBACK_PASSAGES: usize = 10;
const FEEDBACK_TERMS: usize = 6;
/// Scores closer than one such part are equal: the same terms added up in another order differ in the last bits.
const SCORE_PARTS: f64 = 10_000.0;

/// How much is looked for, by depth.
pub(super) fn passages_wanted(depth: Depth) -> usize {
    match depth {
        Depth::Basic => 10,
        Depth::Standard => 25,
        Depth::Comprehensive => 60,
    }
}

/// `parameters.sources`, understood in terms of this corpus.
///
/// An entry that names a kind of document (`markdown` or `docs`, `text`, `html` or `web`, `rustdoc` or
/// `code`) or a package restricts the search to these. Any other, such as `academic`, is a hint on what to
/// prefer: its words are searched for together with the topic.
pub(super) struct Sources {
    pub(super) uses: BTreeMap<String, SourceUse>,
    filters: Vec<(Occur, Box<dyn Query>)>,
    hints: Vec<Word>,
}

impl Sources {
    pub(super) fn understand(index: &CorpusIndex, sources: &[String]) -> Result<Self, Stopped> {
        let mut uses = BTreeMap::new();
        let (mut kinds, mut packages, mut hints) = (Vec::new(), Vec::new(), Vec::new());
        for source in sources {
            let name = source.trim().to_lowercase();
            let package = Term::from_field_text(index.fields.package_name, &package_name(&name));
            if let Some(kind) = kind_called(&name) {
                kinds.push(Term::from_field_text(index.fields.kind, kind.as_str()));
                uses.insert(source.clone(), SourceUse::DocumentKind);
            } else if index.searcher.doc_freq(&package).map_err(unusable)? > 0 {
                packages.push(package);
                uses.insert(source.clone(), SourceUse::Package);
            } else {
                hints.extend(terms::distinct_words(&name));
                uses.insert(source.clone(), SourceUse::QueryTerm);
            }
        }
        let filters = [kinds, packages]
            .into_iter()
            .filter(|terms| !terms.is_empty())
            .map(|terms| {
                let any: Box<dyn Query> = Box::new(BooleanQuery::new_multiterms_query(terms));
                // A filter must not add to the score.
                let filter: Box<dyn Query> = Box::new(BoostQuery::new(any, 0.0));
                (Occur::Must, filter)
            })
            .collect();
        Ok(Self { uses, filters, hints })
    }
}

fn kind_called(name: &str) -> Option<DocumentKind> {
    match name {
        "markdown" | "docs" | "documentation" | "guides" => Some(DocumentKind::Markdown),
        "text" => Some(DocumentKind::Text),
        "html" | "web" => Some(DocumentKind::Html),
        "rustdoc" | "code" | "source" | "api" => Some(DocumentKind::Rustdoc),
        _ => None,
    }
}

/// One question to the index.
struct SubQuery {
    label: String,
    weight: f64,
    query: Box<dyn Query>,
}

/// The ranked answer to all questions.
pub(super) struct Answer {
    pub(super) findings: Vec<Finding>,
    pub(super) queries: Vec<String>,
    pub(super) candidates: u64,
}

/// How many of a topic's terms a passage must have at least; one shared word makes no answer.
pub(super) fn terms_required(terms: usize) -> usize {
    if terms <= 2 { 1 } else { terms * 2 / 5 + 1 }
}

/// Asks about `topic` and ranks the answers.
pub(super) fn retrieve(
    index: &CorpusIndex,
    topic: &[Word],
    sources: &Sources,
    depth: Depth,
) -> Result<Answer, Stopped> {
    let wanted = passages_wanted(depth);
    let mut ranking = Ranking::default();
    let whole = sub_query(sources, topic.iter().map(|it| it.surface.as_str()), 1.0, about(index, topic));
    ranking.ask(index, whole, wanted * 3)?;
    for hint in &sources.hints {
        let label = topic.iter().map(|it| it.surface.as_str()).chain([hint.surface.as_str()]);
        let query = both(about(index, topic), any_field(index, &hint.term));
        ranking.ask(index, sub_query(sources, label, 0.6, query), wanted)?;
    }
    if depth != Depth::Basic {
        for pair in topic.windows(2) {
            let label = pair.iter().map(|it| it.surface.as_str());
            ranking.ask(index, sub_query(sources, label, 0.5, close_together(index, pair)), wanted)?;
        }
    }
    if depth == Depth::Comprehensive {
        for word in ranking.feedback(index, topic)? {
            let label = topic.iter().map(|it| it.surface.as_str()).chain([word.surface.as_str()]);
            let query = both(about(index, topic), any_field(index, &word.term));
            ranking.ask(index, sub_query(sources, label, 0.4, query), wanted)?;
        }
    }
    ranking.best(index, wanted)
}

fn sub_query<'a>(
    sources: &Sources,
    label: impl Iterator<Item = &'a str>,
    weight: f64,
    query: Box<dyn Query>,
) -> SubQuery {
    let mut clauses: Vec<(Occur, Box<dyn Query>)> =
        sources.filters.iter().map(|(occur, filter)| (*occur, filter.box_clone())).collect();
    clauses.push((Occur::Must, query));
    SubQuery {
        label: label.collect::<Vec<_>>().join(" "),
        weight,
        query: Box::new(BooleanQuery::new(clauses)),
    }
}

/// Passages with enough of the topic's terms.
fn about(index: &CorpusIndex, topic: &[Word]) -> Box<dyn Query> {
    let clauses = topic.iter().map(|word| any_field(index, &word.term)).collect();
    Box::new(BooleanQuery::union_with_minimum_required_clauses(clauses, terms_required(topic.len())))
}

fn both(left: Box<dyn Query>, right: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(BooleanQuery::intersection(vec![left, right]))
}

fn any_field(index: &CorpusIndex, term: &str) -> Box<dyn Query> {
    let query = |field: Field| -> Box<dyn Query> {
        Box::new(TermQuery::new(Term::from_field_text(field, term), IndexRecordOption::WithFreqs))
    };
    let title = Box::new(BoostQuery::new(query(index.fields.title), TITLE_BOOST));
    Box::new(BooleanQuery::union(vec![title, query(index.fields.body)]))
}

/// Passages with the words of `pair` next to each other, or nearly so.
fn close_together(index: &CorpusIndex, pair: &[Word]) -> Box<dyn Query> {
    let phrases = [index.fields.title, index.fields.body]
        .map(|field| -> Box<dyn Query> {
            let terms = pair.iter().map(|word| Term::from_field_text(field, &word.term)).collect();
            let mut phrase = PhraseQuery::new(terms);
            phrase.set_slop(2);
            Box::new(phrase)
        })
        .into();
    Box::new(BooleanQuery::union(phrases))
}

/// Answers of several queries in one order, by reciprocal rank fusion: BM25 scores of different queries
/// can't be compared, ranks can.
#[derive(Default)]
struct Ranking {
    candidates: HashMap<DocAddress, Candidate>,
    queries: Vec<String>,
}

#[derive(Default, Clone)]
struct Candidate {
    place: u64,
    fused: f64,
    best_share: f64,
    query: usize,
}

impl Ranking {
    fn ask(&mut self, index: &CorpusIndex, question: SubQuery, limit: usize) -> Result<(), Stopped> {
        if self.queries.contains(&question.label) {
            return Ok(());
        }
        let number = self.queries.len();
        self.queries.push(question.label);
        let top = TopDocs::with_limit(limit).tweak_score(|segment: &SegmentReader| {
            let places = segment.fast_fields().u64(PLACE).map(|column| column.first_or_default_col(0)).ok();
            move |document: DocId, score: Score| {
                let place = places.as_ref().map_or(0, |places| places.get_val(document));
                ((f64::from(score) * SCORE_PARTS).round() as u64, Reverse(place))
            }
        });
        let hits = index.searcher.search(&question.query, &top).map_err(unusable)?;
        for (rank, ((_, Reverse(place)), address)) in hits.into_iter().enumerate() {
            let share = question.weight / (FUSION + rank as f64);
            let candidate = self.candidates.entry(address).or_default();
            candidate.place = place;
            candidate.fused += share;
            if share > candidate.best_share {
                candidate.best_share = share;
                candidate.query = number;
            }
        }
        Ok(())
    }

    /// Candidates, best first; equal ones by path and line, so that a run can be repeated on another index.
    fn ordered(&self) -> Vec<(DocAddress, Candidate)> {
        let mut ordered: Vec<_> = self.candidates.iter().map(|(at, it)| (*at, it.clone())).collect();
        ordered.sort_by(|(_, left), (_, right)| {
            right.fused.total_cmp(&left.fused).then(left.place.cmp(&right.place))
        });
        ordered
    }

    /// The terms the first answers share beyond the topic: many occurrences there, few elsewhere.
    fn feedback(&self, index: &CorpusIndex, topic: &[Word]) -> Result<Vec<Word>, Stopped> {
        let mut counts: HashMap<String, (String, u64)> = HashMap::new();
        for (address, _) in self.ordered().into_iter().take(FEEDBACK_PASSAGES) {
            for word in terms::distinct_words(&index.passage(address)?.text) {
                if topic.iter().all(|it| it.term != word.term) {
                    counts.entry(word.term).or_insert((word.surface, 0)).1 += 1;
                }
            }
        }
        let shared: Vec<String> =
            counts.iter().filter(|(_, (_, count))| *count >= 2).map(|(term, _)| term.clone()).collect();
        let everywhere = super::index::frequencies(index, &shared)?;
        let total = index.passages() as f64;
        let mut weighted: Vec<(f64, Word)> = shared
            .into_iter()
            .filter_map(|term| {
                let (surface, count) = counts.get(&term)?.clone();
                let rarity = (total / (1.0 + *everywhere.get(&term)? as f64)).ln().max(0.0);
                Some((count as f64 * rarity, Word { term, surface }))
            })
            .collect();
        weighted.sort_by(|(left, left_word), (right, right_word)| {
            right.total_cmp(left).then_with(|| left_word.term.cmp(&right_word.term))
        });
        Ok(weighted.into_iter().take(FEEDBACK_TERMS).map(|(_, word)| word).collect())
    }

    /// The best passages, no text twice and no file or package crowding out the others.
    fn best(self, index: &CorpusIndex, wanted: usize) -> Result<Answer, Stopped> {
        let candidates = self.candidates.len() as u64;
        let ordered = self.ordered();
        let top = ordered.first().map_or(1.0, |(_, candidate)| candidate.fused);
        let (per_file, per_package) = ((wanted / 6).max(3), (wanted / 3).max(4));
        let mut texts = HashSet::new();
        let (mut files, mut packages) = (HashMap::<String, usize>::new(), HashMap::<String, usize>::new());
        let (mut findings, mut surplus) = (Vec::new(), Vec::new());
        for (address, candidate) in ordered {
            if findings.len() == wanted {
                break;
            }
            let mut finding = index.passage(address)?;
            if !texts.insert(finding.text.clone()) {
                continue;
            }
            finding.score = candidate.fused / top;
            finding.query = self.queries.get(candidate.query).cloned().unwrap_or_default();
            let in_file = files.entry(finding.file.clone()).or_default();
            let in_package = packages.entry(package_name(&finding.package)).or_default();
            if *in_file < per_file && *in_package < per_package {
                *in_file += 1;
                *in_package += 1;
                findings.push(finding);
            } else {
                surplus.push(finding);
            }
        }
        // A corpus of few files is better quoted at length than not enough.
        let room = wanted - findings.len();
        findings.extend(surplus.into_iter().take(room));
        findings.sort_by(|left, right| right.score.total_cmp(&left.score));
        Ok(Answer { findings, queries: self.queries, candidates })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_topics_need_more_of_their_terms() {
        let required: Vec<usize> = (1..=8).map(terms_required).collect();
        assert_eq!(required, [1, 1, 2, 2, 3, 3, 3, 4]);
    }
}
