//! The documentation comments (`//!` and `///`) of Rust code. Each run of them is a small Markdown document
//! titled by the item it stands on.

use super::markdown;
use super::passages::{Collector, Passage};

/// The passages of the documentation comments in `source`.
pub(super) fn passages(name: &str, source: &str) -> Vec<Passage> {
    let mut done = Vec::new();
    let mut lines = (1_u64..).zip(source.lines()).peekable();
    let mut run: Vec<(u64, &str)> = Vec::new();
    while let Some((number, line)) = lines.next() {
        let Some((marker, text)) = doc_line(line) else { continue };
        run.push((number, text));
        while let Some((number, text)) = lines.next_if_map_doc(marker) {
            run.push((number, text));
        }
        let title = match marker {
            Marker::Inner => name.to_owned(),
            Marker::Outer => {
                item_below(lines.clone()).map_or_else(|| name.to_owned(), |item| format!("{name} › {item}"))
            }
        };
        let mut collector = Collector::new(&title);
        markdown::feed(run.drain(..), &mut collector);
        done.extend(collector.finish());
    }
    done
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Marker {
    /// `//!`: documents what it stands in.
    Inner,
    /// `///`: documents what follows.
    Outer,
}

fn doc_line(line: &str) -> Option<(Marker, &str)> {
    let line = line.trim_start();
    if let Some(text) = line.strip_prefix("//!") {
        return Some((Marker::Inner, text));
    }
    // Four slashes are an ordinary comment.
    line.strip_prefix("///").filter(|text| !text.starts_with('/')).map(|text| (Marker::Outer, text))
}

/// `next_if` for the next line of the same kind of comment.
trait DocLines<'a> {
    fn next_if_map_doc(&mut self, marker: Marker) -> Option<(u64, &'a str)>;
}

impl<'a, I: Iterator<Item = (u64, &'a str)>> DocLines<'a> for std::iter::Peekable<I> {
    fn next_if_map_doc(&mut self, marker: Marker) -> Option<(u64, &'a str)> {
        let (number, text) = self.peek().and_then(|(number, line)| {
            doc_line(line).filter(|(it, _)| *it == marker).map(|(_, text)| (*number, text))
        })?;
        self.next();
        Some((number, text))
    }
}

/// The item below a comment, such as `fn spawn_blocking`; attributes are passed over.
fn item_below<'a>(lines: impl Iterator<Item = (u64, &'a str)>) -> Option<String> {
    const LOOK_AHEAD: usize = 12;
    const KINDS: [&str; 12] = [
        "fn",
        "struct",
        "enum",
        "trait",
        "mod",
        "type",
        "const",
        "static",
        "union",
        "macro",
        "macro_rules!",
        "use",
    ];
    let line = lines
        .take(LOOK_AHEAD)
        .map(|(_, line)| line.trim())
        .find(|line| !line.is_empty() && !line.starts_with(['#', '/', ')', ']']))?;
    let is_name = |it: char| it.is_alphanumeric() || it == '_';
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        // `const fn` and `unsafe trait` are the second word's kind.
        if KINDS.contains(&word) && words.peek().is_none_or(|next| !KINDS.contains(next)) {
            let name: String = words.next()?.chars().take_while(|it| is_name(*it)).collect();
            return (!name.is_empty()).then(|| format!("{word} {name}"));
        }
    }
    // A field or a variant.
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let name: String = line.chars().take_while(|it| is_name(*it)).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_titled_by_their_item_and_keep_their_lines() {
        let source = "//! The module speaks of many things.\n\nuse x::y;\n\n/// Runs the closure on a blocking thread.\n///\n/// ```\n/// hidden();\n/// ```\n#[inline]\npub async fn spawn_blocking<F>(f: F) {}\n//// not documentation at all, whatever it says\n";
        let passages = passages("task", source);
        let seen: Vec<_> =
            passages.iter().map(|it| (it.title.as_str(), it.text.as_str(), it.line_start)).collect();
        assert_eq!(
            seen,
            [
                ("task", "The module speaks of many things.", 1),
                ("task › fn spawn_blocking", "Runs the closure on a blocking thread.", 5),
            ]
        );
    }

    #[test]
    fn items_are_named_by_kind() {
        let item = |line| item_below([(1, line)].into_iter());
        assert_eq!(item("pub(crate) const fn new() -> Self {").as_deref(), Some("fn new"));
        assert_eq!(item("pub struct Runtime<T> {").as_deref(), Some("struct Runtime"));
        assert_eq!(item("macro_rules! select {").as_deref(), Some("macro_rules! select"));
        assert_eq!(item("pub name: String,").as_deref(), Some("name"));
        assert_eq!(item("Succeeded,").as_deref(), Some("Succeeded"));
    }
}
