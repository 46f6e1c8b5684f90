//! What counts as a word and as a sentence: one definition for the index, the queries and the analysis.

use std::collections::BTreeSet;

use tantivy::tokenizer::{
    Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, StopWordFilter, TextAnalyzer,
    TokenStream,
};

/// Words that say nothing about a topic: Lucene's English list, and those that questions are made of.
const STOP_WORDS: &str = "a about above after again all also am an and any are as at be because been before being \
    below between both but by can could did do does doing don down during each etc few for from further had has have \
    having he her here hers him his how however i if in into is isn it its itself just let like ll may me might more \
    most must my no nor not now of off on once one only or other our out over own per s same see shall she should so \
    some such t than that the their them then there therefore these they this those through thus to too under until \
    up upon us use used using ve very via was we were what when where whether which while who whom why will with \
    within without would you your yours";

/// How text becomes terms: lower case, without stop words, reduced to its stem.
pub(super) fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(40))
        .filter(LowerCaser)
        .filter(StopWordFilter::remove(STOP_WORDS.split_whitespace().map(str::to_owned)))
        .filter(Stemmer::new(Language::English))
        .build()
}

/// A term and the word it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) term: String,
    pub(super) surface: String,
}

/// The words of `text` that mean something, in order. Numbers alone and single letters don't.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut analyzer = analyzer();
    let mut stream = analyzer.token_stream(text);
    let mut found = Vec::new();
    while let Some(token) = stream.next() {
        if token.text.chars().count() < 2 || token.text.chars().all(|it| it.is_ascii_digit()) {
            continue;
        }
        let surface = text.get(token.offset_from..token.offset_to).unwrap_or_default().to_lowercase();
        found.push(Word { term: token.text.clone(), surface });
    }
    found
}

/// The distinct terms of `text`.
pub(super) fn term_set(text: &str) -> BTreeSet<String> {
    words(text).into_iter().map(|word| word.term).collect()
}

/// The distinct words of `text`, the first of each term, in order.
pub(super) fn distinct_words(text: &str) -> Vec<Word> {
    let mut seen = BTreeSet::new();
    words(text).into_iter().filter(|word| seen.insert(word.term.clone())).collect()
}

/// How many words `text` has, as word limits count them.
pub(super) fn count_words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Abbreviations whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 9] = ["e.g.", "i.e.", "etc.", "vs.", "cf.", "approx.", "no.", "fig.", "resp."];

/// The sentences of `text`. A line break ends one too: passages break lines between paragraphs only.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for paragraph in text.lines() {
        let mut start = 0;
        let mut in_code = false;
        let mut characters = paragraph.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if character == '`' {
                in_code = !in_code;
            }
            let ends = matches!(character, '.' | '!' | '?')
                && !in_code
                && characters.peek().is_none_or(|(_, next)| next.is_whitespace());
            if !ends {
                continue;
            }
            let end = at + character.len_utf8();
            let sentence = paragraph.get(start..end).unwrap_or_default();
            let last_word = sentence.split_whitespace().next_back().unwrap_or_default().to_lowercase();
            if ABBREVIATIONS.contains(&last_word.trim_start_matches('(')) {
                continue;
            }
            found.push(sentence.trim());
            start = end;
        }
        found.push(paragraph.get(start..).unwrap_or_default().trim());
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_one_term() {
        assert_eq!(term_set("workflow Workflows"), term_set("workflow"));
        assert_eq!(term_set("how does it retry"), term_set("retries"));
        assert!(term_set("what is the 42 of it").is_empty());
    }

    #[test]
    fn sentences_end_where_they_end() {
        let text = "Use a step, e.g. `a.b()`, here. Version 1.2 is fine! Is it?\nA new paragraph";
        assert_eq!(
            sentences(text),
            ["Use a step, e.g. `a.b()`, here.", "Version 1.2 is fine!", "Is it?", "A new paragraph"]
        );
    }
}
