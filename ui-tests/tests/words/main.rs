//! What we say when something is wrong, as text: in the sources, in what the compiler prints, in `docs/errors.md`.

mod catalogue;
mod heads;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A path from the root of the repository.
fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below `folder` with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What the compiler prints for one mistake.
struct Printed {
    case: String,
    text: String,
}

impl Printed {
    /// The lines that begin an error or a warning.
    fn heads(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| line.starts_with("error") || line.starts_with("warning"))
    }
}

fn printed() -> Vec<Printed> {
    let printed: Vec<_> = files(&at("ui-tests/fail"), "stderr")
        .into_iter()
        .map(|path| Printed {
            case: path.file_stem().and_then(|name| name.to_str()).expect("names are ascii").to_owned(),
            text: read(&path),
        })
        .collect();
    assert!(printed.len() >= 60, "cases have gone missing");
    printed
}
