//! The researcher: retrieves what the corpus has on a topic.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::corpus::Corpus;
use super::index::{self, CorpusIndex};
use super::outcome::{FailureKind, Stopped, failed};
use super::progress::Progress;
use super::results::{ResearchResult, ResearchStatistics};
use super::retrieval::{self, Sources, terms_required};
use super::terms::{self, Word};
use crate::a2a::Task;

/// Retrieves passages. Clones share the index.
#[derive(Clone)]
pub(super) struct Researcher {
    corpus: PathBuf,
    index_directory: PathBuf,
    /// The index last used. The lock is held while one is built: two tasks must not build the same.
    index: Arc<Mutex<Option<Arc<CorpusIndex>>>>,
}

impl std::fmt::Debug for Researcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Researcher").field("corpus", &self.corpus).finish_non_exhaustive()
    }
}

impl Researcher {
    pub(super) fn new(corpus: PathBuf, index_directory: PathBuf) -> Self {
        Self { corpus, index_directory, index: Arc::default() }
    }

    /// Does the task. Blocks, for as long as a minute when a large corpus is seen for the first time.
    pub(super) fn research(&self, task: &Task, progress: &Progress) -> Result<ResearchResult, Stopped> {
        let topic = terms::distinct_words(&task.topic);
        if topic.is_empty() {
            let message = format!("the topic `{}` has no word to search for; add one", task.topic);
            return Err(failed(FailureKind::NothingFound, message));
        }
        let (index, index_reused) = self.index(progress)?;
        progress.begin("searching", 0);
        let sources = Sources::understand(&index, &task.parameters.sources)?;
        let answer = retrieval::retrieve(&index, &topic, &sources, task.parameters.depth)?;
        if answer.findings.is_empty() {
            return Err(nothing_found(&index, &topic, !sources.uses.is_empty()));
        }
        Ok(ResearchResult {
            topic: task.topic.clone(),
            findings: answer.findings,
            queries: answer.queries,
            statistics: ResearchStatistics {
                corpus: index.root.display().to_string(),
                documents: index.documents,
                passages: index.passages(),
                candidates: answer.candidates,
                index_reused,
                sources: sources.uses,
            },
        })
    }

    /// The index of the corpus as it is now, and whether it was there already.
    fn index(&self, progress: &Progress) -> Result<(Arc<CorpusIndex>, bool), Stopped> {
        let mut current = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let corpus = Corpus::walk(&self.corpus, progress)?;
        if let Some(index) = current.as_ref().filter(|index| index.is_of(&corpus)) {
            return Ok((Arc::clone(index), true));
        }
        let (index, reused) = CorpusIndex::open(&corpus, &self.index_directory, progress)?;
        let index = Arc::new(index);
        *current = Some(Arc::clone(&index));
        Ok((index, reused))
    }
}

fn nothing_found(index: &CorpusIndex, topic: &[Word], is_restricted: bool) -> Stopped {
    let terms: Vec<String> = topic.iter().map(|word| word.term.clone()).collect();
    let frequencies = match index::frequencies(index, &terms) {
        Ok(frequencies) => frequencies,
        Err(stopped) => return stopped,
    };
    let quoted = |words: Vec<&Word>| {
        words.into_iter().map(|word| format!("`{}`", word.surface)).collect::<Vec<_>>().join(", ")
    };
    let unknown: Vec<&Word> =
        topic.iter().filter(|word| frequencies.get(&word.term).is_none_or(|count| *count == 0)).collect();
    let mut message = format!(
        "none of the {} passages in {} documents has at least {} of the topic's words {}",
        index.passages(),
        index.documents,
        terms_required(topic.len()),
        quoted(topic.iter().collect()),
    );
    if !unknown.is_empty() {
        message.push_str(&format!("; the corpus never mentions {}", quoted(unknown)));
    }
    message.push_str(if is_restricted {
        "; widen `sources`, or word the topic differently"
    } else {
        "; word the topic differently, or give a corpus that covers it"
    });
    failed(FailureKind::NothingFound, message)
}
