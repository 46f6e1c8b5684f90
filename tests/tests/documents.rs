//! The documents in the root say what is true of the files.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_compilers_words_in_the_readme_are_those_of_the_compile_fail_tests() {
    let readme = read("README.md");
    let blocks: Vec<_> =
        readme.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 5, "one block for each of the five mistakes");
    for block in blocks {
        let (_, place) = block.split_once("--> ").unwrap();
        let file = place.split(".rs:").next().unwrap();
        let said = read(&format!("ui-tests/{file}.stderr"));
        for line in block.lines() {
            assert!(said.lines().any(|one| one.trim_end() == line), "{file}.stderr does not say: {line}");
        }
    }
}

#[test]
fn every_link_leads_to_a_file() {
    let mut links = 0;
    for document in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/dependencies.md"] {
        let folder = root().join(document).parent().unwrap().to_owned();
        for rest in read(document).split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                links += 1;
                assert!(folder.join(target).exists(), "{document} links to {target}, which is not there");
            }
        }
    }
    assert!(links > 10, "the links were not found");
}

/// Anything in backticks that begins with a folder of the workspace is a path from the root.
#[test]
fn every_file_that_contributing_names_exists() {
    let text = read("CONTRIBUTING.md");
    let folders =
        ["durable-", "workflows/", "tests/", "ui-tests/", "bench/", "xtask/", "docs/", ".cargo/", ".ci/"];
    let named = text.split('`').skip(1).step_by(2);
    let paths: Vec<_> = named
        .filter(|name| name.contains('/') && !name.contains([' ', '<', '*']))
        .filter(|name| folders.iter().any(|folder| name.starts_with(folder)))
        .collect();
    assert!(paths.len() > 20, "the paths were not found");
    for path in paths {
        assert!(root().join(path).exists(), "CONTRIBUTING.md names {path}, which is not there");
    }
}

#[test]
fn every_dependency_is_explained_and_every_explained_one_is_used() {
    let manifest = read("Cargo.toml");
    let ours = manifest.lines().filter(|line| line.contains("{ path ="));
    let ours: BTreeSet<_> = ours.filter_map(name).collect();
    let mut used = BTreeSet::new();
    let top = fs::read_dir(root()).unwrap().map(|folder| folder.unwrap().path());
    for folder in top.chain([root().join("tests/conformance")]) {
        // Not every folder is a crate.
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        let (_, dependencies) = manifest.split_once("ependencies]").unwrap_or_default();
        let inherited = dependencies.lines().filter(|line| line.contains("workspace = true"));
        used.extend(inherited.filter_map(name).filter(|name| !ours.contains(name)).map(str::to_owned));
    }
    let document = read("docs/dependencies.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let explained: BTreeSet<_> = rows.map(str::to_owned).collect();
    assert!(used.len() > 20, "the dependencies were not found");
    assert_eq!(used, explained);
}

/// The name before `.workspace` or ` = ` in a line of a manifest.
fn name(line: &str) -> Option<&str> {
    line.split(['.', ' ']).next().filter(|name| !name.is_empty() && *name != "workspace")
}
