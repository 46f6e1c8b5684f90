//! Markdown and plain text, line by line, so that each passage knows its lines.
//!
//! Not a full Markdown parser on purpose: prose is wanted, so code blocks, tables, images, badges, link
//! targets and raw HTML are dropped, and what remains reads as a sentence would.

use super::passages::{Collector, Passage};

/// The passages of a Markdown document.
pub(super) fn passages(name: &str, source: &str) -> Vec<Passage> {
    let mut collector = Collector::new(name);
    feed((1..).zip(source.lines()), &mut collector);
    collector.finish()
}

/// The passages of a text document: paragraphs, without any markup.
pub(super) fn plain_passages(name: &str, source: &str) -> Vec<Passage> {
    let mut collector = Collector::new(name);
    for (number, line) in (1..).zip(source.lines()) {
        if line.trim().is_empty() {
            collector.gap();
        } else if !is_rule(line.trim()) {
            collector.line(number, line);
        }
    }
    collector.finish()
}

/// Reads Markdown lines into `collector`.
pub(super) fn feed<'a>(lines: impl Iterator<Item = (u64, &'a str)>, collector: &mut Collector) {
    let mut fence: Option<&str> = None;
    let mut in_comment = false;
    for (number, line) in lines {
        let trimmed = line.trim();
        if let Some(marker) = fence {
            if trimmed.starts_with(marker) && trimmed.trim_start_matches(['`', '~']).is_empty() {
                fence = None;
            }
            continue;
        }
        if in_comment {
            in_comment = !trimmed.contains("-->");
            continue;
        }
        if trimmed.starts_with("<!--") {
            in_comment = !trimmed.contains("-->");
            continue;
        }
        if let Some(marker) = ["```", "~~~"].into_iter().find(|it| trimmed.starts_with(it)) {
            fence = Some(marker);
            collector.gap();
            continue;
        }
        if trimmed.is_empty() {
            collector.gap();
        } else if let Some((level, text)) = heading(trimmed) {
            collector.heading(level, &inline(text));
        } else if is_noise(line, trimmed) {
            collector.gap();
        } else if let Some(item) = list_item(trimmed) {
            collector.gap();
            collector.line(number, &inline(item));
        } else {
            collector.line(number, &inline(trimmed.trim_start_matches('>').trim_start()));
        }
    }
}

fn heading(line: &str) -> Option<(u8, &str)> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let is_heading = (1..=6).contains(&level) && text.starts_with([' ', '\t']);
    is_heading.then(|| (u8::try_from(level).unwrap_or(6), text.trim().trim_end_matches('#').trim_end()))
}

fn list_item(line: &str) -> Option<&str> {
    if let Some(item) = ["- ", "* ", "+ "].into_iter().find_map(|marker| line.strip_prefix(marker)) {
        return Some(item.trim_start_matches("[ ] ").trim_start_matches("[x] "));
    }
    let rest = line.trim_start_matches(|it: char| it.is_ascii_digit());
    (rest.len() < line.len()).then(|| rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))).flatten()
}

/// Tables, rules, raw HTML, link definitions, indented code, images standing alone.
fn is_noise(line: &str, trimmed: &str) -> bool {
    let is_indented_code =
        line.starts_with('\t') || (line.starts_with("     ") && list_item(trimmed).is_none());
    let is_link_definition =
        trimmed.starts_with('[') && trimmed.split_once("]:").is_some_and(|(label, _)| !label.contains(']'));
    let is_image = trimmed.starts_with("![") || trimmed.starts_with("[![");
    trimmed.starts_with('|')
        || trimmed.starts_with('<')
        || is_rule(trimmed)
        || is_link_definition
        || is_image
        || is_indented_code
}

fn is_rule(trimmed: &str) -> bool {
    trimmed.len() >= 3 && trimmed.chars().all(|it| matches!(it, '-' | '=' | '*' | '_' | '~' | ' '))
}

/// One line without the markup inside it: links become their text, emphasis marks and images go, code keeps
/// its backticks.
fn inline(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    let mut in_code = false;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '`' => {
                in_code = !in_code;
                plain.push('`');
                rest = after;
            }
            '!' if !in_code && after.starts_with('[') => {
                rest = link(after).map_or(after, |(_, beyond)| beyond);
            }
            '[' if !in_code => match link(rest) {
                Some((text, beyond)) => {
                    plain.push_str(&inline(text));
                    rest = beyond;
                }
                None => {
                    plain.push('[');
                    rest = after;
                }
            },
            '*' if !in_code => rest = after,
            '\\' if !in_code && after.starts_with(|it: char| it.is_ascii_punctuation()) => {
                let escaped = after.chars().next().unwrap_or_default();
                plain.push(escaped);
                rest = after.get(escaped.len_utf8()..).unwrap_or_default();
            }
            other => {
                plain.push(other);
                rest = after;
            }
        }
    }
    plain
}

/// Of `[text](target)`, `[text][label]` or `[text]` at the start of `source`: the text, and what follows.
fn link(source: &str) -> Option<(&str, &str)> {
    let (text, beyond) = bracketed(source, '[', ']')?;
    let beyond =
        bracketed(beyond, '(', ')').or_else(|| bracketed(beyond, '[', ']')).map_or(beyond, |(_, it)| it);
    Some((text, beyond))
}

/// What stands between `open` at the start of `source` and its partner, and what follows that.
fn bracketed(source: &str, open: char, close: char) -> Option<(&str, &str)> {
    let inner = source.strip_prefix(open)?;
    let mut depth = 0_u32;
    for (at, character) in inner.char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            if depth == 0 {
                return Some((inner.get(..at)?, inner.get(at + close.len_utf8()..)?));
            }
            depth -= 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_markup_becomes_prose() {
        let cases = [
            ("See [the `book`](https://x.y/(a)) and [this][1].", "See the `book` and this."),
            ("**Never** call `a[0]` *twice*", "Never call `a[0]` twice"),
            ("![logo](x.png) Tokio", " Tokio"),
            ("a \\* b [unclosed", "a * b [unclosed"),
        ];
        for (markdown, plain) in cases {
            assert_eq!(inline(markdown), plain);
        }
    }

    #[test]
    fn code_tables_and_comments_are_left_out_and_lines_still_counted() {
        let source = "# Title\n\n```rust\nlet hidden = 1;\n```\n| a | b |\n<!-- a\nb -->\nThis sentence stands on line nine.\n";
        let passages = passages("doc", source);
        assert_eq!(passages.len(), 1);
        assert_eq!(passages[0].text, "This sentence stands on line nine.");
        assert_eq!((passages[0].line_start, passages[0].line_end), (9, 9));
    }
}
