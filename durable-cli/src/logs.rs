//! What functions write to stdout and stderr, kept by execution.
//!
//! One JSON-lines file for each execution, and one for each function with what it wrote outside of any
//! (`@<function>`). One thread writes them all; nothing here is durable in the engine's sense.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::mpsc,
};

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Which of a process's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line that a function wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LogLine {
    /// When it was read, in milliseconds since the Unix epoch.
    pub time: Timestamp,
    /// Who wrote it.
    pub function: String,
    /// The invocation during which it was written; absent for what a process writes outside of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Where to.
    pub stream: Stream,
    /// The line without its end.
    pub text: String,
}

/// Whether lines are also written to our own standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Echo {
    #[default]
    Off,
    Stdout,
}

/// The logs of all executions. A clone is another handle.
#[derive(Clone, Debug)]
pub(crate) struct LogStore {
    folder: PathBuf,
    sender: mpsc::Sender<Command>,
}

enum Command {
    Append { file: String, line: LogLine },
    Flush(oneshot::Sender<()>),
}

impl LogStore {
    pub(crate) fn open(folder: &Path, echo: Echo) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (sender, receiver) = mpsc::channel();
        let writer = Writer { folder: folder.to_owned(), echo, open: None };
        std::thread::Builder::new().name("function-logs".into()).spawn(move || writer.run(&receiver))?;
        Ok(Self { folder: folder.to_owned(), sender })
    }

    /// Adds a line to an execution's log, or to its function's.
    pub(crate) fn append(&self, execution: Option<&str>, line: LogLine) {
        let file = execution.map_or_else(|| format!("@{}", line.function), str::to_owned);
        // Fails only when the writer is gone, and then there is nobody left to tell.
        let _ = self.sender.send(Command::Append { file, line });
    }

    /// Every line of an execution's log so far.
    pub(crate) async fn read(&self, execution: &str) -> Vec<LogLine> {
        let (done, flushed) = oneshot::channel();
        if self.sender.send(Command::Flush(done)).is_ok() {
            // An error says that the writer is gone; what it wrote is still there.
            let _ = flushed.await;
        }
        let Some(path) = path_of(&self.folder, execution) else { return Vec::new() };
        let text = tokio::task::spawn_blocking(move || fs::read_to_string(path)).await;
        let text = text.ok().and_then(Result::ok).unwrap_or_default();
        // A line that a crash cut in half is left out.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// `None` for names that are no single file name.
fn path_of(folder: &Path, name: &str) -> Option<PathBuf> {
    let is_plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'@'));
    (is_plain && !name.is_empty()).then(|| folder.join(format!("{name}.jsonl")))
}

struct Writer {
    folder: PathBuf,
    echo: Echo,
    /// The file of the last line: most lines go to the same one as the line before.
    open: Option<(String, File)>,
}

impl Writer {
    fn run(mut self, commands: &mpsc::Receiver<Command>) {
        while let Ok(command) = commands.recv() {
            match command {
                Command::Append { file, line } => {
                    if self.echo == Echo::Stdout {
                        // Nobody reads our output any more: the log has it all.
                        let _ = writeln!(io::stdout(), "{} | {}", line.function, line.text);
                    }
                    if let Err(error) = self.append(file, &line) {
                        tracing::warn!(%error, "a line of a function's output could not be kept");
                    }
                }
                Command::Flush(done) => drop(done.send(())),
            }
        }
    }

    fn append(&mut self, name: String, line: &LogLine) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != name) {
            let path = path_of(&self.folder, &name)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("no file name: {name}")))?;
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            self.open = Some((name, file));
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        match &mut self.open {
            Some((_, file)) => file.write_all(&text),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine {
            time: Timestamp::from_millis(1),
            function: "f".into(),
            request_id: None,
            stream: Stream::Stdout,
            text: text.into(),
        }
    }

    #[tokio::test]
    async fn lines_are_kept_by_execution_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let logs = LogStore::open(folder.path(), Echo::Off).unwrap();
        logs.append(Some("a-1"), line("one"));
        logs.append(Some("b-2"), line("other"));
        logs.append(Some("a-1"), line("two"));
        logs.append(None, line("starting"));
        assert_eq!(logs.read("a-1").await, [line("one"), line("two")]);
        assert_eq!(logs.read("b-2").await, [line("other")]);
        assert_eq!(logs.read("@f").await, [line("starting")]);
        assert_eq!(logs.read("../a-1").await, []);
    }
}
