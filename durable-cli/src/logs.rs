//! What functions write to stdout and stderr, kept by execution.
//!
//! One JSON-lines file for each execution, and one for each function with what it wrote outside of any
//! (`@<function>`). One thread writes them all; nothing here is durable in the engine's sense.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::mpsc,
};

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::server::create_private;

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
    sender: mpsc::Sender<Command>,
}

enum Command {
    Append { name: String, line: LogLine },
    Read { name: String, reply: oneshot::Sender<Vec<LogLine>> },
    Untouched { since: Timestamp, reply: oneshot::Sender<Vec<String>> },
    Remove { name: String },
}

impl LogStore {
    /// Logs in `folder`, which is created when there is none; in memory without one.
    pub(crate) fn open(folder: Option<&Path>, echo: Echo) -> io::Result<Self> {
        let shelf = match folder {
            Some(folder) => {
                create_private(folder)?;
                Shelf::Folder { folder: folder.to_owned(), open: None }
            }
            None => Shelf::Memory(HashMap::new()),
        };
        let (sender, receiver) = mpsc::channel();
        let builder = std::thread::Builder::new().name("function-logs".into());
        builder.spawn(move || keep(shelf, echo, &receiver))?;
        Ok(Self { sender })
    }

    /// Adds a line to an execution's log, or to its function's.
    pub(crate) fn append(&self, execution: Option<&str>, line: LogLine) {
        let name = execution.map_or_else(|| format!("@{}", line.function), str::to_owned);
        // Fails only when the thread is gone, and then there is nobody left to tell.
        let _ = self.sender.send(Command::Append { name, line });
    }

    /// Every line of an execution's log so far.
    pub(crate) async fn read(&self, execution: &str) -> Vec<LogLine> {
        let (reply, lines) = oneshot::channel();
        // As above.
        let _ = self.sender.send(Command::Read { name: execution.to_owned(), reply });
        lines.await.unwrap_or_default()
    }

    /// The executions of whose logs the last line is older than this.
    pub(crate) async fn untouched_since(&self, since: Timestamp) -> Vec<String> {
        let (reply, names) = oneshot::channel();
        // As above.
        let _ = self.sender.send(Command::Untouched { since, reply });
        names.await.unwrap_or_default()
    }

    /// Removes an execution's log.
    pub(crate) fn remove(&self, execution: &str) {
        // As above.
        let _ = self.sender.send(Command::Remove { name: execution.to_owned() });
    }
}

fn keep(mut shelf: Shelf, echo: Echo, commands: &mpsc::Receiver<Command>) {
    while let Ok(command) = commands.recv() {
        match command {
            Command::Append { name, line } => {
                if echo == Echo::Stdout {
                    // Nobody reads our output any more: the log has it all.
                    let _ = writeln!(io::stdout(), "{} | {}", line.function, line.text);
                }
                if let Err(error) = shelf.append(name, line) {
                    tracing::warn!(%error, "a line of a function's output could not be kept");
                }
            }
            Command::Read { name, reply } => drop(reply.send(shelf.read(&name))),
            Command::Untouched { since, reply } => drop(reply.send(shelf.untouched(since))),
            Command::Remove { name } => {
                if let Err(error) = shelf.remove(&name) {
                    tracing::warn!(%error, "the log of an execution that is gone could not be removed");
                }
            }
        }
    }
}

/// Where lines are kept.
enum Shelf {
    Memory(HashMap<String, Vec<LogLine>>),
    Folder {
        folder: PathBuf,
        /// The file of the last line: most lines go to the same one as the line before.
        open: Option<(String, File)>,
    },
}

impl Shelf {
    fn append(&mut self, name: String, line: LogLine) -> io::Result<()> {
        match self {
            Self::Memory(logs) => logs.entry(name).or_default().push(line),
            Self::Folder { folder, open } => {
                let mut text = serde_json::to_vec(&line)?;
                text.push(b'\n');
                let mut file = match open.take() {
                    Some((last, file)) if last == name => file,
                    _ => OpenOptions::new()
                        .create(true)
                        .append(true)
                        .mode(0o600)
                        .open(path_of(folder, &name)?)?,
                };
                file.write_all(&text)?;
                *open = Some((name, file));
            }
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Vec<LogLine> {
        match self {
            Self::Memory(logs) => logs.get(name).cloned().unwrap_or_default(),
            Self::Folder { folder, .. } => {
                let text = path_of(folder, name).and_then(fs::read_to_string).unwrap_or_default();
                // A line that a crash cut in half is left out.
                text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
            }
        }
    }

    fn untouched(&self, since: Timestamp) -> Vec<String> {
        let is_execution = |name: &str| !name.starts_with('@');
        match self {
            Self::Memory(logs) => {
                let is_old = |lines: &[LogLine]| lines.last().is_none_or(|line| line.time < since);
                let old = logs.iter().filter(|(name, lines)| is_execution(name) && is_old(lines));
                old.map(|(name, _)| name.clone()).collect()
            }
            Self::Folder { folder, .. } => {
                let old = |entry: fs::DirEntry| {
                    let name = entry.file_name().to_str()?.strip_suffix(".jsonl")?.to_owned();
                    let touched = Timestamp::from(entry.metadata().ok()?.modified().ok()?);
                    (is_execution(&name) && touched < since).then_some(name)
                };
                fs::read_dir(folder).into_iter().flatten().flatten().filter_map(old).collect()
            }
        }
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        match self {
            Self::Memory(logs) => {
                logs.remove(name);
                Ok(())
            }
            Self::Folder { folder, open } => {
                open.take_if(|(last, _)| last == name);
                match fs::remove_file(path_of(folder, name)?) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Names are execution ids and function names; anything else must not become a path.
fn path_of(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let is_plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'@'));
    if name.is_empty() || !is_plain {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("'{name}' is no name of a log")));
    }
    Ok(folder.join(format!("{name}.jsonl")))
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
        for folder in [None, Some(folder.path())] {
            let logs = LogStore::open(folder, Echo::Off).unwrap();
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

    #[tokio::test]
    async fn old_logs_are_found_and_can_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        for folder in [None, Some(folder.path())] {
            let logs = LogStore::open(folder, Echo::Off).unwrap();
            logs.append(Some("a-1"), line("one"));
            logs.append(None, line("starting"));
            assert!(logs.untouched_since(Timestamp::from_millis(1)).await.is_empty());
            let later =
                Timestamp::from(std::time::SystemTime::now()).after(std::time::Duration::from_secs(9));
            assert_eq!(logs.untouched_since(later).await, ["a-1"]);
            logs.remove("a-1");
            logs.remove("b-2");
            logs.remove("../a-1");
            assert_eq!(logs.read("a-1").await, []);
            assert!(logs.untouched_since(later).await.is_empty());
            logs.append(Some("a-1"), line("again"));
            assert_eq!(logs.read("a-1").await, [line("again")]);
        }
    }
}
