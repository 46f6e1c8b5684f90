//! `docs/errors.md` has every message, and no message that nothing says.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{
    at, files, printed, read,
    sources::{Text, pieces, texts},
};

/// What stands for the parts of a message that differ from case to case.
const ANY: char = '…';

/// A part of a message with fewer words may be something else by chance.
const TELLING: usize = 3;

/// The messages of the catalogue, each with `error: ` or `error[E0277]: ` in front, or with `[D001] `.
fn catalogue() -> Vec<String> {
    let document = read(&at("docs/errors.md"));
    let blocks = document.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    let messages: Vec<_> = blocks.flat_map(str::lines).map(str::to_owned).collect();
    assert!(messages.len() > 60, "the messages were not found");
    messages
}

/// Our sources without their unit tests.
fn sources(folder: &str) -> Vec<PathBuf> {
    let is_test = |path: &PathBuf| {
        let mut parts = path.components().map(|part| part.as_os_str().to_string_lossy());
        parts.any(|part| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs"))
    };
    let found: Vec<_> = files(&at(folder), "rs").into_iter().filter(|path| !is_test(path)).collect();
    assert!(found.len() > 10, "{folder} has gone missing");
    found
}

fn macro_texts() -> Vec<Text> {
    // The root has documentation only.
    let files = sources("durable-macros/src").into_iter().filter(|path| !path.ends_with("lib.rs"));
    files.flat_map(|path| texts(&path)).collect()
}

fn trait_messages() -> Vec<Text> {
    let texts = sources("durable-runtime/src").into_iter().flat_map(|path| texts(&path));
    texts.filter(|text| text.is_trait_message).collect()
}

/// The texts of the files that have messages with a code of ours.
fn coded_texts() -> Vec<Text> {
    let files = sources("durable-runtime/src").into_iter().map(|path| texts(&path));
    files.filter(|texts| texts.iter().any(|text| text.value.starts_with("[D0"))).flatten().collect()
}

fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count()
}

/// Whether `text` is `pattern` with anything in place of each `…`.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(found) = rest.find(part) else { return false };
        rest = rest.get(found + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[test]
fn what_the_compiler_prints_is_in_the_catalogue() {
    let catalogue = catalogue();
    for case in printed() {
        for head in case.heads() {
            let known = catalogue.iter().any(|message| fits(message, head));
            assert!(known, "docs/errors.md lacks the message of fail/{}.rs: {head}", case.case);
        }
    }
}

#[test]
fn what_the_sources_say_is_in_the_catalogue() {
    let catalogue = catalogue();
    let mut telling = 0;
    for text in macro_texts().into_iter().chain(trait_messages()) {
        for piece in pieces(&text.value).into_iter().filter(|piece| words(piece) >= TELLING) {
            telling += 1;
            let known = catalogue.iter().any(|message| message.contains(&piece));
            assert!(known, "docs/errors.md has no message with these words: {piece}");
        }
    }
    for text in coded_texts().into_iter().filter(|text| text.value.starts_with("[D0")) {
        telling += 1;
        let parts = pieces(&text.value);
        let known = catalogue.iter().any(|message| parts.iter().all(|part| message.contains(part)));
        assert!(known, "docs/errors.md lacks this message: {}", text.value);
    }
    assert!(telling > 90, "the messages were not found: {telling}");
}

#[test]
fn everything_in_the_catalogue_is_said() {
    let heads: Vec<_> =
        printed().iter().flat_map(|case| case.heads().map(str::to_owned).collect::<Vec<_>>()).collect();
    let texts = macro_texts().into_iter().chain(trait_messages()).chain(coded_texts());
    let mut said: Vec<_> =
        texts.flat_map(|text| pieces(&text.value)).filter(|piece| words(piece) >= 2).collect();
    said.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    for message in catalogue() {
        if heads.iter().any(|head| fits(&message, head)) {
            continue;
        }
        let rest = said.iter().fold(message.clone(), |rest, piece| rest.replace(piece.as_str(), " "));
        let rest = rest.trim_start_matches("error").trim_start_matches("[E0277]");
        // A noun of the composition: which kind of function, which verb.
        assert!(words(rest) <= 2, "nothing says this any more: {message}\nwhat is not found: {rest}");
    }
}

#[test]
fn every_code_has_its_entry_and_every_entry_its_code() {
    let code = |text: &str| text.strip_prefix('[').and_then(|rest| rest.get(..4)).map(str::to_owned);
    let said: BTreeSet<_> = coded_texts()
        .iter()
        .filter(|text| text.value.starts_with("[D0"))
        .filter_map(|text| code(&text.value))
        .collect();
    assert!(said.contains("D001"), "the codes were not found: {said:?}");
    let document = read(&at("docs/errors.md"));
    let entries = document.lines().filter_map(|line| line.strip_prefix("### D0"));
    let entries: BTreeSet<_> = entries.map(|rest| format!("D0{rest}")).collect();
    assert_eq!(said, entries);
    let shown: BTreeSet<_> =
        catalogue().iter().filter(|line| line.starts_with("[D0")).filter_map(|line| code(line)).collect();
    assert_eq!(said, shown);
}

#[test]
fn every_error_type_of_the_runtime_is_explained() {
    let document = read(&at("docs/errors.md"));
    let texts = sources("durable-runtime/src").into_iter().flat_map(|path| texts(&path));
    let types: BTreeSet<_> = texts
        .filter(|text| text.callee == "ErrorObject::new")
        .map(|text| text.value)
        .filter(|text| words(text) == 1)
        .collect();
    assert!(types.len() > 10, "the error types were not found: {types:?}");
    for error_type in types {
        assert!(
            document.contains(&format!("`{error_type}`")),
            "docs/errors.md lacks the error type `{error_type}`"
        );
    }
}

/// Links are references, because the same text is a chapter of the guide, which lies elsewhere.
#[test]
fn every_link_leads_to_a_chapter_from_both_places() {
    let chapters = |document: &str| {
        let text = read(&at(document));
        let links = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
        let folder = at(document).parent().map(Path::to_owned).unwrap_or_default();
        links
            .map(|(name, target)| {
                let chapter = folder.join(target);
                assert!(chapter.is_file(), "{document} leads to {target}, which is not there");
                (name.to_owned(), chapter.file_name().map(ToOwned::to_owned))
            })
            .collect::<BTreeSet<_>>()
    };
    let links = chapters("docs/errors.md");
    assert_eq!(links, chapters("docs/src/error-catalogue.md"));
    let document = read(&at("docs/errors.md"));
    let used =
        document.split("][").skip(1).filter_map(|rest| rest.split(']').next()).collect::<BTreeSet<_>>();
    let defined = links.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(used, defined);
}
