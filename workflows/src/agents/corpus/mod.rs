//! The documents the researcher reads: which files, and how each is cut into passages.

mod html;
mod markdown;
mod passages;
mod rustdoc;
mod walk;

pub(super) use passages::Passage;
pub(super) use walk::{Corpus, SourceFile};

use super::results::DocumentKind;

/// Cuts a document into passages. `name` is the file name without its extension.
pub(super) fn passages(kind: DocumentKind, name: &str, source: &str) -> Vec<Passage> {
    match kind {
        DocumentKind::Markdown => markdown::passages(name, source),
        DocumentKind::Text => markdown::plain_passages(name, source),
        DocumentKind::Html => html::passages(name, source),
        DocumentKind::Rustdoc => rustdoc::passages(name, source),
    }
}
