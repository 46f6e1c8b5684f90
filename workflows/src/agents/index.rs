//! The full-text index of a corpus, kept on disk under the corpus' path and fingerprint.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};
use tantivy::schema::{
    FAST, Field, IndexRecordOption, STORED, STRING, Schema, TantivyDocument, TextFieldIndexing, TextOptions,
    Value,
};
use tantivy::{DocAddress, Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyError};
use uuid::Uuid;

use super::corpus::{self, Corpus, Passage, SourceFile};
use super::inbox::hex;
use super::outcome::{FailureKind, Stopped, failed};
use super::progress::Progress;
use super::results::{DocumentKind, Finding};
use super::terms;

/// Part of the directory's name: an index made by other rules is made again.
const FORMAT: u32 = 2;
const TOKENIZER: &str = "english";
/// The position of a passage in the corpus, by path and line. Passages are indexed on several threads, so the
/// index's own order is another one each time it is made.
pub(super) const PLACE: &str = "place";
const MEMORY_PER_THREAD: usize = 48 * 1024 * 1024;

/// An open index. Cheap to share, never changed.
pub(super) struct CorpusIndex {
    pub(super) fields: Fields,
    pub(super) searcher: Searcher,
    pub(super) root: PathBuf,
    pub(super) documents: u64,
    fingerprint: String,
}

/// The fields of a passage.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    pub(super) title: Field,
    pub(super) body: Field,
    pub(super) kind: Field,
    /// The package's name in lower case without its version: what people call it.
    pub(super) package_name: Field,
    package: Field,
    file: Field,
    line_start: Field,
    line_end: Field,
    place: Field,
}

impl CorpusIndex {
    /// Opens the index of `corpus` below `directory`, and makes it first if there is none.
    /// Says whether there was one.
    pub(super) fn open(
        corpus: &Corpus,
        directory: &Path,
        progress: &Progress,
    ) -> Result<(Self, bool), Stopped> {
        let fingerprint = corpus.fingerprint();
        let corpus_key = corpus_key(&corpus.root);
        let target = directory.join(format!("{corpus_key}-{fingerprint}"));
        if let Ok(index) = Self::open_in(&target, corpus, fingerprint.clone()) {
            return Ok((index, true));
        }
        fs::create_dir_all(directory).map_err(storage)?;
        // There may be a damaged one, which is as good as none.
        remove_if_there(&target).map_err(storage)?;
        let building = directory.join(format!("building-{}", Uuid::new_v4()));
        let built =
            build(corpus, &building, progress).and_then(|()| fs::rename(&building, &target).map_err(storage));
        if built.is_err() {
            // The first error is the one to report.
            let _ = remove_if_there(&building);
        }
        built?;
        remove_others(directory, &corpus_key, &target);
        let index = Self::open_in(&target, corpus, fingerprint).map_err(unusable)?;
        Ok((index, false))
    }

    /// Whether this is the index of `corpus` as it is now.
    pub(super) fn is_of(&self, corpus: &Corpus) -> bool {
        self.root == corpus.root && self.fingerprint == corpus.fingerprint()
    }

    fn open_in(path: &Path, corpus: &Corpus, fingerprint: String) -> Result<Self, TantivyError> {
        let index = Index::open_in_dir(path)?;
        index.tokenizers().register(TOKENIZER, terms::analyzer());
        let fields = Fields::find(&index.schema())?;
        let reader: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let documents = corpus.files.len() as u64;
        Ok(Self { fields, searcher: reader.searcher(), root: corpus.root.clone(), documents, fingerprint })
    }

    pub(super) fn passages(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// The passage at `address`, without a score.
    pub(super) fn passage(&self, address: DocAddress) -> Result<Finding, Stopped> {
        let document: TantivyDocument = self.searcher.doc(address).map_err(unusable)?;
        let text = |field| {
            document.get_first(field).and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let number = |field| document.get_first(field).and_then(|it| it.as_u64()).unwrap_or_default();
        Ok(Finding {
            title: text(self.fields.title),
            text: text(self.fields.body),
            file: text(self.fields.file),
            line_start: number(self.fields.line_start),
            line_end: number(self.fields.line_end),
            package: text(self.fields.package),
            kind: DocumentKind::from_name(&text(self.fields.kind)),
            score: 0.0,
            query: String::new(),
        })
    }
}

impl Fields {
    fn schema() -> Schema {
        let mut schema = Schema::builder();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions);
        let prose = TextOptions::default().set_indexing_options(indexing).set_stored();
        schema.add_text_field("title", prose.clone());
        schema.add_text_field("body", prose);
        schema.add_text_field("kind", STRING | STORED);
        schema.add_text_field("package_name", STRING);
        schema.add_text_field("package", STORED);
        schema.add_text_field("file", STORED);
        schema.add_u64_field("line_start", STORED);
        schema.add_u64_field("line_end", STORED);
        schema.add_u64_field(PLACE, FAST);
        schema.build()
    }

    fn find(schema: &Schema) -> Result<Self, TantivyError> {
        Ok(Self {
            title: schema.get_field("title")?,
            body: schema.get_field("body")?,
            kind: schema.get_field("kind")?,
            package_name: schema.get_field("package_name")?,
            package: schema.get_field("package")?,
            file: schema.get_field("file")?,
            line_start: schema.get_field("line_start")?,
            line_end: schema.get_field("line_end")?,
            place: schema.get_field(PLACE)?,
        })
    }

    fn document(self, file: &SourceFile, passage: Passage, place: u64) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_text(self.title, passage.title);
        document.add_text(self.body, passage.text);
        document.add_text(self.kind, file.kind.as_str());
        document.add_text(self.package_name, package_name(&file.package));
        document.add_text(self.package, &file.package);
        document.add_text(self.file, &file.path);
        document.add_u64(self.line_start, passage.line_start);
        document.add_u64(self.line_end, passage.line_end);
        document.add_u64(self.place, place);
        document
    }
}

/// What people call a package: `tokio-1.54.1` is `tokio`.
pub(super) fn package_name(package: &str) -> String {
    let name = package
        .match_indices('-')
        .find(|(at, _)| package.get(at + 1..).is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit())))
        .and_then(|(at, _)| package.get(..at))
        .unwrap_or(package);
    name.to_lowercase().replace('_', "-")
}

/// Reads and indexes all documents, on as many threads as there are processors.
fn build(corpus: &Corpus, path: &Path, progress: &Progress) -> Result<(), Stopped> {
    fs::create_dir_all(path).map_err(storage)?;
    let index = Index::create_in_dir(path, Fields::schema()).map_err(unusable)?;
    index.tokenizers().register(TOKENIZER, terms::analyzer());
    let fields = Fields::find(&index.schema()).map_err(unusable)?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
    let mut writer: IndexWriter =
        index.writer_with_num_threads(threads, threads * MEMORY_PER_THREAD).map_err(unusable)?;

    progress.begin("indexing documents", corpus.files.len() as u64);
    let next = AtomicUsize::new(0);
    let read_files = || -> Result<(), Stopped> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = corpus.files.get(number) else { return Ok(()) };
            if let Some(text) = file.read(&corpus.root) {
                // Files are sorted by path, the passages of a file by line.
                let first = (number as u64) << 32;
                for (place, passage) in (first..).zip(corpus::passages(file.kind, file.name(), &text)) {
                    writer.add_document(fields.document(file, passage, place)).map_err(unusable)?;
                }
            }
            progress.advance()?;
        }
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads).map(|_| scope.spawn(read_files)).collect();
        readers.into_iter().try_for_each(|reader| {
            reader
                .join()
                .unwrap_or_else(|_| Err(failed(FailureKind::Internal, "a document could not be read")))
        })
    })?;
    progress.begin("writing the index", 0);
    writer.commit().map_err(unusable)?;
    writer.wait_merging_threads().map_err(unusable)
}

fn corpus_key(root: &Path) -> String {
    let key = hex(&Sha256::digest(root.as_os_str().as_encoded_bytes()));
    format!("v{FORMAT}-{}", key.chars().take(16).collect::<String>())
}

/// Indexes of earlier states of the same corpus, and builds that were cut short.
fn remove_others(directory: &Path, corpus_key: &str, keep: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path != keep) {
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        if (name.starts_with(corpus_key) || name.starts_with("building-"))
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::warn!(name, %error, "an outdated index could not be removed");
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn storage(error: io::Error) -> Stopped {
    tracing::error!(%error, "the index can't be stored");
    failed(FailureKind::Index, format!("the index can't be stored: {}", error.kind()))
}

/// The error's own text may name paths of this machine: it is logged, not delivered.
pub(super) fn unusable(error: TantivyError) -> Stopped {
    tracing::error!(%error, "the index can't be used");
    failed(FailureKind::Index, "the index can't be built or searched; the agent's log says why")
}

/// How many passages hold each of `terms`, in title or body.
pub(super) fn frequencies(index: &CorpusIndex, terms: &[String]) -> Result<HashMap<String, u64>, Stopped> {
    let mut frequencies = HashMap::new();
    for text in terms {
        let mut passages = 0;
        for field in [index.fields.title, index.fields.body] {
            let term = tantivy::Term::from_field_text(field, text);
            passages += index.searcher.doc_freq(&term).map_err(unusable)?;
        }
        frequencies.insert(text.clone(), passages);
    }
    Ok(frequencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_called_by_its_name_without_the_version() {
        assert_eq!(package_name("tokio-1.54.1"), "tokio");
        assert_eq!(package_name("proc_macro2-1.0.1"), "proc-macro2");
        assert_eq!(package_name("toml_edit-0.25.18+spec-1.1.0"), "toml-edit");
        assert_eq!(package_name("Guide"), "guide");
    }
}
