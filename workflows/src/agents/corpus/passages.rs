//! Collects lines of prose into passages of a readable size.

/// A piece of a document, as prose, with the lines it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agents) struct Passage {
    pub(in crate::agents) title: String,
    pub(in crate::agents) text: String,
    /// The first line, counted from 1.
    pub(in crate::agents) line_start: u64,
    /// The last line.
    pub(in crate::agents) line_end: u64,
}

/// From here on a passage ends at the next gap.
const ENOUGH: usize = 500;
/// From here on a passage ends anywhere.
const TOO_MUCH: usize = 1_500;
/// Shorter pieces say nothing.
const FEWEST_WORDS: usize = 4;

/// Collects lines. Headings begin a new passage and give it its title.
pub(super) struct Collector {
    base: String,
    headings: Vec<(u8, String)>,
    text: String,
    lines: Option<(u64, u64)>,
    done: Vec<Passage>,
}

impl Collector {
    /// A collector for a document, or a part of one, called `base`.
    pub(super) fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            headings: Vec::new(),
            text: String::new(),
            lines: None,
            done: Vec::new(),
        }
    }

    /// A heading of `level`, 1 being the highest.
    pub(super) fn heading(&mut self, level: u8, text: &str) {
        self.flush();
        self.headings.retain(|(above, _)| *above < level);
        self.headings.push((level, text.trim().to_owned()));
    }

    /// Prose on line `number`.
    pub(super) fn line(&mut self, number: u64, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push(' ');
        }
        self.text.push_str(text);
        let (first, last) = self.lines.unwrap_or((number, number));
        self.lines = Some((first.min(number), last.max(number)));
        if self.text.len() >= TOO_MUCH {
            self.flush();
        }
    }

    /// The end of a paragraph.
    pub(super) fn gap(&mut self) {
        if self.text.len() >= ENOUGH {
            self.flush();
        } else if !self.text.is_empty() && !self.text.ends_with('\n') {
            // Sentences don't run across paragraphs; the line break keeps them apart.
            self.text.push('\n');
        }
    }

    pub(super) fn finish(mut self) -> Vec<Passage> {
        self.flush();
        self.done
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let Some((line_start, line_end)) = self.lines.take() else { return };
        let text = text.trim();
        if text.split_whitespace().count() < FEWEST_WORDS {
            return;
        }
        self.done.push(Passage { title: self.title(), text: text.to_owned(), line_start, line_end });
    }

    /// The base name and the two innermost headings.
    fn title(&self) -> String {
        let skipped = self.headings.len().saturating_sub(2);
        let headings = self.headings.iter().skip(skipped).map(|(_, text)| text.as_str());
        let mut parts: Vec<&str> =
            std::iter::once(self.base.as_str()).chain(headings).filter(|it| !it.is_empty()).collect();
        parts.dedup();
        parts.join(" › ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_ends_a_passage_and_titles_the_next() {
        let mut collector = Collector::new("guide");
        collector.line(1, "Words before any heading.");
        collector.heading(1, "One");
        collector.line(3, "Words below heading one.");
        collector.heading(2, "Two");
        collector.line(5, "Words below heading two.");
        collector.heading(1, "Three");
        collector.line(7, "Words below heading three.");
        let titles: Vec<_> = collector.finish().into_iter().map(|it| (it.title, it.line_start)).collect();
        let expected = [("guide", 1), ("guide › One", 3), ("guide › One › Two", 5), ("guide › Three", 7)];
        assert_eq!(titles, expected.map(|(title, line)| (title.to_owned(), line)));
    }

    #[test]
    fn long_text_is_cut_at_gaps_and_a_wall_of_text_anywhere() {
        let mut collector = Collector::new("long");
        for number in 1..=200 {
            collector.line(number, "These are seven words of plain text.");
        }
        let passages = collector.finish();
        assert!(passages.len() > 3);
        assert!(passages.iter().all(|it| it.text.len() < TOO_MUCH + 100));
        assert_eq!(passages.first().map(|it| it.line_start), Some(1));
        assert_eq!(passages.last().map(|it| it.line_end), Some(200));
        assert!(passages.windows(2).all(|pair| pair[1].line_start == pair[0].line_end + 1));
    }
}
