//! What the functions noted.

use std::path::{Path, PathBuf};

use cross_tests::log_file;

/// One line of what happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A step's body had its effect.
    Effect { incarnation: u32, process: u32, step: String, attempt: u32 },
    /// The step after this one began, so that this one's end was acknowledged.
    Acknowledged { incarnation: u32, step: String },
    /// A callback's id was given away.
    Callback { errand: u64, id: String },
}

pub(crate) fn entries(folder: &Path) -> Vec<Entry> {
    log_file::lines(&path(folder)).iter().map(|line| entry(line)).collect()
}

/// The id of an errand's callback, once it was given away.
pub(crate) fn callback(folder: &Path, errand: u64) -> Option<String> {
    entries(folder).into_iter().find_map(|entry| match entry {
        Entry::Callback { errand: of, id } if of == errand => Some(id),
        _ => None,
    })
}

fn path(folder: &Path) -> PathBuf {
    folder.join("journal.log")
}

fn entry(line: &str) -> Entry {
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("a torn line: {line}"));
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["effect", incarnation, process, step, attempt] => Entry::Effect {
            incarnation: number(incarnation),
            process: number(process),
            step: step.to_owned(),
            attempt: number(attempt),
        },
        ["ack", incarnation, _, step] => {
            Entry::Acknowledged { incarnation: number(incarnation), step: step.to_owned() }
        }
        ["callback", errand, id] => Entry::Callback { errand: number(errand).into(), id: id.to_owned() },
        _ => panic!("a torn line: {line}"),
    }
}
