//! HTML: the text people would read, with the lines it stands on.
//!
//! The parser knows the structure but forgets where things stood, so a second, much simpler scan of the
//! source finds the stretches of text between tags, and the words of the parsed document are looked up
//! there, in order.

use scraper::{Html, Node};

use super::passages::{Collector, Passage};

/// Elements whose text nobody came to read.
const SKIPPED: [&str; 12] = [
    "script", "style", "nav", "footer", "noscript", "template", "svg", "head", "button", "select",
    "textarea", "pre",
];
/// Elements that end a paragraph.
const BLOCKS: [&str; 20] = [
    "p",
    "div",
    "li",
    "ul",
    "ol",
    "dl",
    "dt",
    "dd",
    "section",
    "article",
    "main",
    "aside",
    "header",
    "table",
    "tr",
    "td",
    "th",
    "blockquote",
    "figure",
    "br",
];

/// The passages of an HTML document.
pub(super) fn passages(name: &str, source: &str) -> Vec<Passage> {
    let document = Html::parse_document(source);
    let mut lines = LineFinder::new(source);
    let mut collector = Collector::new(name);
    let mut heading: Option<(u8, String)> = None;
    // An explicit stack: documents may be nested deeper than a thread's stack allows.
    let mut stack = vec![(document.tree.root(), false)];
    while let Some((node, is_leaving)) = stack.pop() {
        match node.value() {
            Node::Element(element) => {
                let tag = element.name();
                if is_leaving {
                    if let Some((level, text)) = heading.take_if(|_| heading_level(tag).is_some()) {
                        collector.heading(level, &text);
                    }
                } else if let Some(level) = heading_level(tag) {
                    heading = Some((level, String::new()));
                }
                if BLOCKS.contains(&tag) {
                    collector.gap();
                }
                if is_leaving || SKIPPED.contains(&tag) {
                    continue;
                }
            }
            Node::Text(text) => {
                let number = lines.find(text);
                match &mut heading {
                    Some((_, heading)) => heading.push_str(text),
                    None => {
                        for (offset, line) in (0..).zip(text.lines()) {
                            collector.line(number + offset, line);
                        }
                    }
                }
                continue;
            }
            _ => {}
        }
        if !is_leaving {
            stack.push((node, true));
            let first = stack.len();
            stack.extend(node.children().map(|child| (child, false)));
            if let Some(children) = stack.get_mut(first..) {
                children.reverse();
            }
        }
    }
    collector.finish()
}

fn heading_level(tag: &str) -> Option<u8> {
    let level = tag.strip_prefix('h')?.parse().ok()?;
    (1..=6).contains(&level).then_some(level)
}

/// Finds the line of one text after another.
struct LineFinder<'a> {
    source: &'a str,
    /// Byte ranges of the text between tags, in order.
    stretches: Vec<(usize, usize)>,
    /// Where the next text is looked for: a stretch, and a byte in the source.
    stretch: usize,
    at: usize,
    /// How many lines end before `counted_to`.
    line: u64,
    counted_to: usize,
}

impl<'a> LineFinder<'a> {
    fn new(source: &'a str) -> Self {
        Self { source, stretches: stretches(source), stretch: 0, at: 0, line: 0, counted_to: 0 }
    }

    /// The line on which `text` begins; that of the text before it, should it not be found.
    fn find(&mut self, text: &str) -> u64 {
        // Entities are spelled differently in the source: the longest plain beginning must do.
        let word =
            text.trim_start().split(|it: char| it.is_whitespace() || !it.is_ascii() || "&<>\"'".contains(it));
        let Some(word) = word.into_iter().find(|it| !it.is_empty()) else {
            return self.line_at(self.at);
        };
        let leading = text.len() - text.trim_start().len();
        for index in self.stretch..self.stretches.len() {
            let Some(&(start, end)) = self.stretches.get(index) else { break };
            let from = start.max(self.at);
            let found = self.source.get(from..end).and_then(|stretch| stretch.find(word));
            if let Some(offset) = found {
                self.stretch = index;
                self.at = from + offset + word.len();
                let begin = self.line_at(from + offset);
                // The text's own first line may be blank and stand above the word.
                let blank = text.get(..leading).map_or(0, |it| it.matches('\n').count() as u64);
                return begin.saturating_sub(blank).max(1);
            }
        }
        self.line_at(self.at)
    }

    /// The line of a byte; bytes are asked for in ascending order, so counting goes on where it stopped.
    fn line_at(&mut self, byte: usize) -> u64 {
        if byte > self.counted_to {
            let between = self.source.get(self.counted_to..byte).unwrap_or_default();
            self.line += between.matches('\n').count() as u64;
            self.counted_to = byte;
        }
        self.line + 1
    }
}

/// The byte ranges outside of tags, comments, scripts and styles.
fn stretches(source: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|it| !it.is_empty()) {
        let text_end = at + rest.find('<').unwrap_or(rest.len());
        if text_end > at {
            found.push((at, text_end));
        }
        let Some(tag) = source.get(text_end..).filter(|it| !it.is_empty()) else { break };
        at = text_end + tag_length(tag);
    }
    found
}

/// The bytes of the tag, comment or raw-text element at the start of `tag`.
fn tag_length(tag: &str) -> usize {
    let through = |end: &str| tag.find(end).map_or(tag.len(), |it| it + end.len());
    if tag.starts_with("<!--") {
        return through("-->");
    }
    for raw in ["script", "style"] {
        let is_raw = tag.get(1..=raw.len()).is_some_and(|it| it.eq_ignore_ascii_case(raw));
        if is_raw {
            let end = [format!("</{raw}>"), format!("</{}>", raw.to_uppercase())];
            return end.iter().map(|it| through(it)).min().unwrap_or(tag.len());
        }
    }
    let is_tag =
        tag.get(1..).is_some_and(|it| it.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)));
    if !is_tag {
        return 1;
    }
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return at + 1,
            (None, _) => {}
        }
    }
    tag.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!DOCTYPE html>
<html><head><title>Words &amp; more</title><style>p { color: red }</style></head>
<body>
<nav>Home of many links to follow</nav>
<h1>Durable <em>execution</em></h1>
<!-- A workflow comment nobody reads -->
<script>var text = "A workflow in a script";</script>
<p title="A workflow > in an attribute">A workflow keeps its state
while the process is down &amp; comes back.</p>
<h2>Steps</h2>
<ul><li>Each step runs once at least, never never.</li></ul>
</body></html>"#;

    #[test]
    fn text_is_found_with_headings_and_lines() {
        let found = passages("page", PAGE);
        let seen: Vec<_> = found.iter().map(|it| (it.title.as_str(), it.line_start, it.line_end)).collect();
        assert_eq!(seen, [("page › Durable execution", 8, 9), ("page › Durable execution › Steps", 11, 11)]);
        assert_eq!(found[0].text, "A workflow keeps its state while the process is down & comes back.");
    }

    #[test]
    fn nesting_deeper_than_the_stack_is_survived() {
        let page = format!("{}Here are five plain words.{}", "<div>".repeat(20_000), "</div>".repeat(20_000));
        assert_eq!(passages("deep", &page).len(), 1);
    }
}
