//! Files of lines that outlive the processes that write them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// A file of lines, to which any number of processes append.
#[derive(Debug)]
pub struct LogFile(Mutex<File>);

impl LogFile {
    /// Opens the file, which is created when there is none.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    /// Returns once the line is on the disk.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn append(&self, line: &str) -> io::Result<()> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One write, so that a kill leaves the whole line or nothing, and lines of other processes stay apart.
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    }
}

/// The lines that were written whole. There are none as long as nobody has created the file.
#[must_use]
pub fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').and_then(|end| text.get(..end));
    whole.map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default()
}
