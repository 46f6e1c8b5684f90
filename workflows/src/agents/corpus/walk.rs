//! Finds the documents below the corpus directory.
//!
//! Hidden files and what a `.gitignore` of a repository excludes are left out, as are caches (directories
//! with a `CACHEDIR.TAG`), licence texts (the same few in every package, about nothing), Rust code of tests
//! and benchmarks, files above 2 MB and, later, those that turn out to be binary. Links are not followed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::UNIX_EPOCH;

use ignore::{DirEntry, WalkBuilder, WalkState};
use sha2::{Digest, Sha256};

use crate::agents::inbox::hex;
use crate::agents::outcome::{FailureKind, Stopped, failed};
use crate::agents::progress::Progress;
use crate::agents::results::DocumentKind;

const LARGEST_FILE: u64 = 2 * 1024 * 1024;

/// The documents of a corpus, in the order of their paths.
pub(in crate::agents) struct Corpus {
    pub(in crate::agents) root: PathBuf,
    pub(in crate::agents) files: Vec<SourceFile>,
}

/// One document.
pub(in crate::agents) struct SourceFile {
    /// Relative to the root, with `/` between its parts.
    pub(in crate::agents) path: String,
    pub(in crate::agents) kind: DocumentKind,
    /// The package or directory it belongs to.
    pub(in crate::agents) package: String,
    size: u64,
    modified_nanos: u128,
}

impl Corpus {
    /// Lists the documents below `root`.
    pub(in crate::agents) fn walk(root: &Path, progress: &Progress) -> Result<Self, Stopped> {
        if !root.is_dir() {
            let message = "the corpus is gone; restore the directory, or start with another one";
            return Err(failed(FailureKind::CorpusUnavailable, message));
        }
        progress.begin("listing documents", 0);
        let found: Mutex<Vec<SourceFile>> = Mutex::default();
        let manifests: Mutex<HashMap<String, String>> = Mutex::default();
        let root_for_filter = root.to_path_buf();
        let walk = WalkBuilder::new(root)
            .follow_links(false)
            .parents(false)
            .git_global(false)
            .filter_entry(move |entry| entry.path() == root_for_filter || !is_cache(entry))
            .build_parallel();
        walk.run(|| {
            Box::new(|entry| {
                if progress.advance().is_err() {
                    return WalkState::Quit;
                }
                // What can't be read is left out, as `ignore` and `grep` do.
                let Ok(entry) = entry else { return WalkState::Continue };
                if entry.file_name() == "Cargo.toml" {
                    if let Some(directory) = entry.path().parent().and_then(|it| relative(root, it)) {
                        let name = directory.rsplit('/').next().unwrap_or_default().to_owned();
                        manifests.lock().unwrap_or_else(PoisonError::into_inner).insert(directory, name);
                    }
                } else if let Some(file) = source_file(root, &entry) {
                    found.lock().unwrap_or_else(PoisonError::into_inner).push(file);
                }
                WalkState::Continue
            })
        });
        progress.interrupt.check()?;

        let manifests = manifests.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut files = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        files.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        for file in &mut files {
            file.package = package_of(&file.path, &manifests);
        }
        if files.is_empty() {
            let message = "the corpus holds no documents; expected Markdown, text, HTML or Rust files";
            return Err(failed(FailureKind::CorpusUnavailable, message));
        }
        Ok(Self { root: root.to_path_buf(), files })
    }

    /// Changes whenever a document is added, removed or written.
    pub(in crate::agents) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.files {
            hash.update(file.path.as_bytes());
            hash.update([0]);
            hash.update(file.package.as_bytes());
            hash.update([0]);
            hash.update(file.size.to_le_bytes());
            hash.update(file.modified_nanos.to_le_bytes());
        }
        hex(&hash.finalize()).chars().take(32).collect()
    }
}

impl SourceFile {
    /// The document's text; `None` when it can't be read or is binary.
    pub(in crate::agents) fn read(&self, root: &Path) -> Option<String> {
        let bytes = std::fs::read(root.join(&self.path)).ok()?;
        if bytes.contains(&0) {
            return None;
        }
        Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// The file name without its extension.
    pub(in crate::agents) fn name(&self) -> &str {
        Path::new(&self.path).file_stem().and_then(OsStr::to_str).unwrap_or(&self.path)
    }
}

fn source_file(root: &Path, entry: &DirEntry) -> Option<SourceFile> {
    if !entry.file_type()?.is_file() {
        return None;
    }
    let kind = kind_of(entry.path())?;
    let metadata = entry.metadata().ok()?;
    if metadata.len() > LARGEST_FILE {
        return None;
    }
    let modified_nanos = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    let path = relative(root, entry.path())?;
    if kind == DocumentKind::Rustdoc && is_test(&path) {
        return None;
    }
    Some(SourceFile { path, kind, package: String::new(), size: metadata.len(), modified_nanos })
}

fn kind_of(path: &Path) -> Option<DocumentKind> {
    let stem = path.file_stem()?.to_str()?;
    if ["LICENSE", "LICENCE", "COPYING", "UNLICENSE", "COPYRIGHT"].iter().any(|it| stem.starts_with(it)) {
        return None;
    }
    match path.extension().and_then(OsStr::to_str) {
        Some("md" | "markdown") => Some(DocumentKind::Markdown),
        Some("txt" | "rst" | "adoc") => Some(DocumentKind::Text),
        Some("html" | "htm") => Some(DocumentKind::Html),
        Some("rs") => Some(DocumentKind::Rustdoc),
        None if stem.starts_with("README") => Some(DocumentKind::Text),
        _ => None,
    }
}

/// Comments in tests and benchmarks describe these, not the subject.
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches"))
}

/// A directory that says of itself that it can be made again.
fn is_cache(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|it| it.is_dir()) && entry.path().join("CACHEDIR.TAG").exists()
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = path.iter().map(OsStr::to_str).collect();
    Some(parts?.join("/"))
}

/// The nearest directory above with a `Cargo.toml`; else the first directory below the root; else the file.
fn package_of(path: &str, manifests: &HashMap<String, String>) -> String {
    let mut directory = path;
    while let Some((parent, _)) = directory.rsplit_once('/') {
        if let Some(name) = manifests.get(parent) {
            return name.clone();
        }
        directory = parent;
    }
    match path.split_once('/') {
        Some((first, _)) => first.to_owned(),
        None => path.rsplit_once('.').map_or(path, |(stem, _)| stem).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_nearest_package_above_it() {
        let manifests = HashMap::from([("registry/tokio-1.0.0".to_owned(), "tokio-1.0.0".to_owned())]);
        assert_eq!(package_of("registry/tokio-1.0.0/src/task/mod.rs", &manifests), "tokio-1.0.0");
        assert_eq!(package_of("guide/intro.md", &manifests), "guide");
        assert_eq!(package_of("notes.md", &manifests), "notes");
    }

    #[test]
    fn licences_and_unknown_files_are_no_documents() {
        assert_eq!(kind_of(Path::new("a/LICENSE-MIT")), None);
        assert_eq!(kind_of(Path::new("a/LICENSE.md")), None);
        assert_eq!(kind_of(Path::new("a/picture.png")), None);
        assert_eq!(kind_of(Path::new("a/licensing.md")), Some(DocumentKind::Markdown));
        assert_eq!(kind_of(Path::new("README")), Some(DocumentKind::Text));
    }
}
