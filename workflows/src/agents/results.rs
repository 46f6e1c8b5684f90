//! What the agents deliver, and read from each other. Unknown fields are ignored and what an agent of
//! somebody else may leave out has a default, so that each of the three can be replaced alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the researcher delivers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResearchResult {
    /// The topic that was researched.
    #[serde(default)]
    pub topic: String,
    /// The passages found, best first.
    pub findings: Vec<Finding>,
    /// What the index was asked.
    #[serde(default)]
    pub queries: Vec<String>,
    /// How the search went.
    #[serde(default)]
    pub statistics: ResearchStatistics,
}

/// One passage of one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The heading or item the passage stands under.
    #[serde(default)]
    pub title: String,
    /// The passage, as prose.
    pub text: String,
    /// The document, relative to the corpus.
    pub file: String,
    /// The first line of the passage, counted from 1.
    #[serde(default)]
    pub line_start: u64,
    /// The last line of the passage.
    #[serde(default)]
    pub line_end: u64,
    /// The crate or directory the document belongs to; what counts as one independent source.
    #[serde(default)]
    pub package: String,
    /// The kind of document.
    #[serde(default)]
    pub kind: DocumentKind,
    /// How good the passage is, relative to the best one of this result (1.0).
    #[serde(default)]
    pub score: f64,
    /// The query that ranked the passage highest.
    #[serde(default)]
    pub query: String,
}

/// The kind of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentKind {
    /// Markdown.
    Markdown,
    /// HTML.
    Html,
    /// Documentation comments of Rust code.
    Rustdoc,
    /// Plain text, and any kind this version doesn't know.
    #[default]
    #[serde(other)]
    Text,
}

impl DocumentKind {
    /// The name it has in results and in the index.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Text => "text",
            Self::Html => "html",
            Self::Rustdoc => "rustdoc",
        }
    }

    /// The kind of that name; text if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "markdown" => Self::Markdown,
            "html" => Self::Html,
            "rustdoc" => Self::Rustdoc,
            _ => Self::Text,
        }
    }
}

/// How a search went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResearchStatistics {
    /// The directory that was searched.
    pub corpus: String,
    /// Documents in the index.
    pub documents: u64,
    /// Passages in the index.
    pub passages: u64,
    /// Different passages that any query brought up.
    pub candidates: u64,
    /// Whether an earlier index served.
    pub index_reused: bool,
    /// How each entry of `sources` was understood.
    pub sources: BTreeMap<String, SourceUse>,
}

/// How an entry of `parameters.sources` was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceUse {
    /// It names a kind of document; only such documents were searched.
    DocumentKind,
    /// It names a package of the corpus; only such packages were searched.
    Package,
    /// It was added to the topic, as further words.
    QueryTerm,
}

/// What the analyst delivers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The topic that was analysed.
    #[serde(default)]
    pub topic: String,
    /// The most important statements over all themes, best first.
    pub key_statements: Vec<Statement>,
    /// The findings in groups, the largest group first.
    #[serde(default)]
    pub themes: Vec<Theme>,
    /// What can be counted.
    #[serde(default)]
    pub data_points: Vec<DataPoint>,
    /// What the numbers in `references` fields stand for.
    pub references: Vec<Reference>,
    /// Findings dropped because another says the same.
    #[serde(default)]
    pub duplicates_removed: u64,
    /// The directory the references are relative to.
    #[serde(default)]
    pub corpus: String,
}

/// One quoted sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// The sentence.
    pub text: String,
    /// Where it stands, and where else the same is said: numbers of [`Reference`]s, the quoted one first.
    pub references: Vec<u64>,
    /// How many independent packages say so.
    #[serde(default)]
    pub agreement: u64,
    /// How central the sentence is; only its order means something.
    #[serde(default)]
    pub score: f64,
}

/// A group of findings that share a word the topic doesn't have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Theme {
    /// What the group is about.
    pub title: String,
    /// The packages that contribute.
    #[serde(default)]
    pub packages: Vec<String>,
    /// The references of the group.
    #[serde(default)]
    pub references: Vec<u64>,
    /// The best sentences of the group.
    pub statements: Vec<Statement>,
}

/// Something counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataPoint {
    /// What was counted.
    pub name: String,
    /// The number, with its unit.
    pub value: String,
    /// What it was counted over.
    #[serde(default)]
    pub detail: String,
}

/// One numbered place in the corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The number statements use.
    pub number: u64,
    /// The heading or item.
    #[serde(default)]
    pub title: String,
    /// The document, relative to the corpus.
    pub file: String,
    /// The first line.
    #[serde(default)]
    pub line_start: u64,
    /// The last line.
    #[serde(default)]
    pub line_end: u64,
    /// The crate or directory the document belongs to.
    #[serde(default)]
    pub package: String,
}

/// What the writer delivers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The topic the report is about.
    pub topic: String,
    /// Always `markdown`.
    pub format: String,
    /// The report itself.
    pub report: String,
    /// Words in the report, everything counted.
    pub word_count: u64,
    /// The most words it was allowed to have.
    pub word_limit: u64,
    /// The references the report cites, in its own numbering.
    pub references: Vec<Reference>,
    /// Whether all statements are quotations; false when a model wrote them.
    pub extractive: bool,
}
