//! The guide is whole: every chapter is listed and compiled, every link leads somewhere, and the compiler's words are
//! those of the compile-fail tests.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn docs() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn root() -> &'static Path {
    docs().parent().unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Markdown files of a folder, by name.
fn markdown(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|it| it == "md")).collect();
    files.sort();
    files
}

fn chapters() -> Vec<PathBuf> {
    markdown(&docs().join("src")).into_iter().filter(|file| !file.ends_with("SUMMARY.md")).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap())
}

/// The fenced blocks with their info strings.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let inside: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            blocks.push((info.to_owned(), inside.join("\n")));
        }
    }
    blocks
}

/// The code of a block with its hidden lines.
fn shown_and_hidden(block: &str) -> String {
    let line = |line: &str| match line {
        "#" => String::new(),
        _ => line.strip_prefix("# ").unwrap_or(line).to_owned(),
    };
    block.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_summary_lists_every_chapter() {
    let summary = read(docs().join("src/SUMMARY.md"));
    let listed: Vec<_> = links(&summary).map(str::to_owned).collect();
    let found: Vec<_> = chapters().iter().map(|file| name(file)).collect();
    assert_eq!(listed.iter().collect::<BTreeSet<_>>(), found.iter().collect());
    assert_eq!(listed.len(), found.len(), "a chapter is listed twice: {listed:?}");
}

/// Documents of the repository, wherever they are: those with Rust code have to be compiled by somebody.
#[test]
fn every_document_with_rust_code_is_compiled() {
    let mut documents = chapters();
    let crates =
        fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    for folder in crates.chain([root().to_owned()]) {
        if !folder.ends_with("target") {
            documents.extend(markdown(&folder));
        }
    }
    let compiled: BTreeSet<_> = ["docs/lib.rs", "tests/src/lib.rs", "durable-testing/src/lib.rs"]
        .into_iter()
        .flat_map(|file| {
            let text = read(root().join(file));
            let folder = root().join(file).parent().unwrap().to_owned();
            let included =
                text.split("include_str!(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
            included.map(|path| folder.join(path).canonicalize().unwrap()).collect::<Vec<_>>()
        })
        .collect();
    let mut with_code = 0;
    for document in documents {
        let text = read(&document);
        if blocks(&text).iter().any(|(info, _)| info.split(',').next() == Some("rust")) {
            with_code += 1;
            let path = document.canonicalize().unwrap();
            assert!(
                compiled.contains(&path),
                "docs/lib.rs does not compile the code of {}",
                document.display()
            );
        }
    }
    assert!(with_code > 10, "the documents were not found");
}

/// Code that nobody compiles is of no use to a reader who copies it.
#[test]
fn no_rust_code_is_ignored() {
    for file in chapters().into_iter().chain(markdown(docs())) {
        for (info, _) in blocks(&read(&file)) {
            let mut words = info.split(',');
            if words.next() == Some("rust") {
                let known = ["no_run", "compile_fail", "should_panic"];
                assert!(words.all(|word| known.contains(&word)), "{}: ```{info}", name(&file));
            }
        }
    }
}

/// The anchor that mdBook makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|char| char.is_alphanumeric() || matches!(char, '-' | '_')).collect()
}

fn has_anchor(file: &Path, wanted: &str) -> bool {
    let text = read(file);
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).any(|found| found == wanted)
}

#[test]
fn every_link_between_chapters_leads_somewhere() {
    let mut checked = 0;
    for file in chapters() {
        let text = read(&file);
        let prose: Vec<_> = text.split("```").step_by(2).collect();
        for link in prose.iter().flat_map(|part| links(part)).filter(|link| !link.contains("://")) {
            checked += 1;
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { docs().join("src").join(path) };
            assert!(target.exists(), "{} links to {link}, which is not there", name(&file));
            assert!(
                target.starts_with(docs().join("src")) && !path.contains(".."),
                "{} links to {link}, which is not in the book",
                name(&file)
            );
            assert!(
                fragment.is_empty() || has_anchor(&target, fragment),
                "{} links to {link}, a heading that is not there",
                name(&file)
            );
        }
    }
    assert!(checked > 20, "the links were not found");
}

#[test]
fn what_a_chapter_includes_exists() {
    for file in chapters() {
        for rest in read(&file).split("{{#include ").skip(1) {
            let path = rest.split(['}', ':']).next().unwrap().trim();
            assert!(docs().join("src").join(path).exists(), "{} includes {path}", name(&file));
        }
    }
}

/// Messages are quoted in part, their lines in order. The code above them is the case they come from, if it is shown.
#[test]
fn the_compilers_words_are_those_of_the_compile_fail_tests() {
    let mut quoted = 0;
    for file in chapters() {
        let mut code = None;
        for (info, block) in blocks(&read(&file)) {
            if info == "rust,compile_fail" {
                code = Some(shown_and_hidden(&block));
            } else if info == "text" && block.contains(" --> fail/") {
                quoted += 1;
                let (_, place) = block.split_once("--> fail/").unwrap();
                let case = place.split(".rs:").next().unwrap();
                let cases = root().join("ui-tests/fail");
                let said = read(cases.join(format!("{case}.stderr")));
                let mut said = said.lines().map(str::trim_end);
                for line in block.lines() {
                    assert!(
                        said.any(|one| one == line),
                        "{}: {case}.stderr does not say: {line}",
                        name(&file)
                    );
                }
                if let Some(code) = code.take() {
                    let written = read(cases.join(format!("{case}.rs")));
                    let written = written.trim_end().trim_end_matches("fn main() {}").trim_end();
                    assert_eq!(code.trim_end(), written, "{}: the code of {case}", name(&file));
                }
            }
        }
        assert!(code.is_none(), "{}: code that must not compile, and no message", name(&file));
    }
    assert!(quoted >= 10, "the messages were not found");
}

/// The catalogue itself is compared with the sources.
#[test]
fn error_codes_are_quoted_in_the_words_of_the_catalogue() {
    let catalogue = read(docs().join("errors.md"));
    let entries: Vec<_> = catalogue.lines().filter(|line| line.starts_with("[D0")).collect();
    let mut quoted = 0;
    for file in chapters() {
        for (info, block) in blocks(&read(&file)) {
            if info == "text" && block.contains("[D0") {
                quoted += 1;
                let said = block.split_whitespace().collect::<Vec<_>>().join(" ");
                let is_said = |entry: &&str| {
                    let mut rest = said.as_str();
                    entry.split('…').all(|part| match rest.split_once(part) {
                        Some((_, behind)) => {
                            rest = behind;
                            true
                        }
                        None => false,
                    })
                };
                assert!(entries.iter().any(is_said), "{}: {said}", name(&file));
            }
        }
    }
    assert!(quoted > 0, "the messages were not found");
}

/// Some blocks stand on one that was shown before. They include it from a file.
#[test]
fn what_a_block_stands_on_is_what_the_chapter_shows() {
    let mut included = 0;
    for file in chapters() {
        let blocks = blocks(&read(&file));
        for (_, block) in &blocks {
            for rest in block.split("env!(\"CARGO_MANIFEST_DIR\"), \"/code/").skip(1) {
                included += 1;
                let path = rest.split('"').next().unwrap();
                let code = read(docs().join("code").join(path));
                assert!(
                    blocks.iter().any(|(_, shown)| shown.trim_end() == code.trim_end()),
                    "{} shows no block that is code/{path}",
                    name(&file)
                );
            }
        }
    }
    assert!(included > 1, "the files were not found");
}
