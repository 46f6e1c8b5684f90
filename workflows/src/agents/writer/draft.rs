//! A report under construction: what is in it so far, and how that reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::agents::results::{Analysis, DataPoint, Reference, Statement};

/// What is in the report so far. Everything borrowed from the analysis, so that trying is cheap.
#[derive(Clone)]
pub(super) struct Draft<'a> {
    title: String,
    analysis: &'a Analysis,
    known: BTreeMap<u64, &'a Reference>,
    summary: Vec<&'a Statement>,
    /// Statements by the index of their theme.
    sections: BTreeMap<usize, Vec<&'a Statement>>,
    data_points: Vec<&'a DataPoint>,
    quoted: BTreeSet<&'a str>,
}

/// A finished text, and the references it cites in its own numbering.
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) references: Vec<Reference>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(topic: &str, analysis: &'a Analysis, most_title_words: usize) -> Self {
        Self {
            title: title(topic, most_title_words),
            analysis,
            known: analysis.references.iter().map(|reference| (reference.number, reference)).collect(),
            summary: Vec::new(),
            sections: BTreeMap::new(),
            data_points: Vec::new(),
            quoted: BTreeSet::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.quoted.is_empty()
    }

    /// Adds `statement` to the summary, or to a theme's section, if it is new, has a source, and the result `fits`.
    pub(super) fn try_statement(
        &mut self,
        section: Option<usize>,
        statement: &'a Statement,
        fits: impl Fn(&Self) -> bool,
    ) {
        let has_source = statement.references.iter().any(|number| self.known.contains_key(number));
        if !has_source || self.quoted.contains(statement.text.as_str()) {
            return;
        }
        let mut with_it = self.clone();
        match section {
            None => with_it.summary.push(statement),
            Some(section) => with_it.sections.entry(section).or_default().push(statement),
        }
        with_it.quoted.insert(&statement.text);
        if fits(&with_it) {
            *self = with_it;
        }
    }

    /// Adds a row to the table, if the result `fits`.
    pub(super) fn try_data_point(&mut self, data_point: &'a DataPoint, fits: impl Fn(&Self) -> bool) {
        self.data_points.push(data_point);
        if !fits(self) {
            self.data_points.pop();
        }
    }

    pub(super) fn render(&self) -> Rendered {
        let mut citations = Citations { known: &self.known, numbers: BTreeMap::new(), cited: Vec::new() };
        let mut text = format!("# {}\n\n", self.title);
        text.push_str(
            "*Extractive report: every statement is quoted from the cited lines; nothing was added.*\n",
        );

        if !self.summary.is_empty() {
            text.push_str("\n## Summary\n\n");
            citations.list(&mut text, &self.summary);
        }
        for (index, statements) in &self.sections {
            let title = self.analysis.themes.get(*index).map_or("Findings", |theme| theme.title.as_str());
            let _ = write!(text, "\n## {}\n\n", one_line(title));
            citations.list(&mut text, statements);
        }
        if !self.data_points.is_empty() {
            text.push_str("\n## Data points\n\n| Measure | Value | Basis |\n| --- | --- | --- |\n");
            for DataPoint { name, value, detail } in &self.data_points {
                let _ = writeln!(text, "| {} | {} | {} |", cell(name), cell(value), cell(detail));
            }
        }
        text.push_str("\n## Sources\n\n");
        let references = citations.finish();
        text.push_str(&source_list(&references, &self.analysis.corpus));
        Rendered { text, references }
    }
}

/// Numbers references in the order in which the text cites them.
struct Citations<'a> {
    known: &'a BTreeMap<u64, &'a Reference>,
    numbers: BTreeMap<u64, u64>,
    cited: Vec<&'a Reference>,
}

impl Citations<'_> {
    fn list(&mut self, text: &mut String, statements: &[&Statement]) {
        for statement in statements {
            let _ = write!(text, "- {} ", one_line(&statement.text));
            for number in &statement.references {
                let Some(reference) = self.known.get(number) else { continue };
                let own = *self.numbers.entry(*number).or_insert_with(|| {
                    self.cited.push(reference);
                    self.cited.len() as u64
                });
                let _ = write!(text, "[{own}]");
            }
            text.push('\n');
        }
    }

    fn finish(self) -> Vec<Reference> {
        (1..).zip(self.cited).map(|(number, reference)| Reference { number, ..reference.clone() }).collect()
    }
}

/// One line for each reference: `[n] file:line`.
pub(super) fn source_list(references: &[Reference], corpus: &str) -> String {
    let mut text = String::new();
    if !corpus.is_empty() {
        let _ = write!(text, "Files below `{corpus}`:\n\n");
    }
    for Reference { number, file, line_start, line_end, .. } in references {
        let _ = write!(text, "- [{number}] `{file}:{line_start}");
        if line_end > line_start {
            let _ = write!(text, "-{line_end}");
        }
        text.push_str("`\n");
    }
    text
}

/// The topic on one line, cut if it is longer than a title may be.
pub(super) fn title(topic: &str, most_words: usize) -> String {
    let words: Vec<&str> = topic.split_whitespace().collect();
    match words.get(..most_words) {
        Some(kept) if kept.len() < words.len() => format!("{} …", kept.join(" ")),
        _ => words.join(" "),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}
