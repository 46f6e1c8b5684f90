//! What a process writes to its stdout and stderr, line by line, under the invocation it belongs to.
//!
//! A process serves one invocation at a time, so that a line belongs to the invocation that was handed out last.
//! Everything that was written before an answer is in the pipe when the answer arrives: emptying the pipe then
//! settles to whom each line belongs.

use std::io;

use durable_runtime::protocol::Timestamp;
use tokio::{
    net::unix::pipe,
    process::{ChildStderr, ChildStdout},
    sync::{mpsc, oneshot},
};

use crate::logs::{LogLine, LogStore, Stream};

/// A line longer than this is cut.
const LONGEST_LINE: usize = 256 * 1024;

/// Whose lines follow.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) execution: Option<String>,
    pub(super) request_id: String,
}

struct Command {
    /// `None` leaves the owner as it is.
    owner: Option<Owner>,
    done: oneshot::Sender<()>,
}

/// The two outputs of a process. Ends with the process.
#[derive(Debug)]
pub(super) struct Output {
    pumps: [mpsc::Sender<Command>; 2],
}

impl Output {
    pub(super) fn new(
        function: &str,
        logs: &LogStore,
        stdout: ChildStdout,
        stderr: ChildStderr,
    ) -> io::Result<Self> {
        let start = |pipe: pipe::Receiver, stream| {
            let (sender, commands) = mpsc::channel(1);
            let pump = Pump {
                pipe,
                function: function.to_owned(),
                stream,
                logs: logs.clone(),
                owner: None,
                line: Vec::new(),
            };
            tokio::spawn(pump.run(commands));
            sender
        };
        let stdout = pipe::Receiver::from_owned_fd(stdout.into_owned_fd()?)?;
        let stderr = pipe::Receiver::from_owned_fd(stderr.into_owned_fd()?)?;
        Ok(Self { pumps: [start(stdout, Stream::Stdout), start(stderr, Stream::Stderr)] })
    }

    /// Ready once everything written so far is in the log of the owner so far.
    pub(super) async fn settle(&self) {
        self.command(None).await;
    }

    /// Settles; lines written from now on are `owner`'s.
    pub(super) async fn hand_to(&self, owner: Owner) {
        self.command(Some(owner)).await;
    }

    async fn command(&self, owner: Option<Owner>) {
        for pump in &self.pumps {
            let (done, settled) = oneshot::channel();
            // Both fail only when the process has closed that output: nothing more comes from there.
            if pump.send(Command { owner: owner.clone(), done }).await.is_ok() {
                let _ = settled.await;
            }
        }
    }
}

struct Pump {
    pipe: pipe::Receiver,
    function: String,
    stream: Stream,
    logs: LogStore,
    owner: Option<Owner>,
    line: Vec<u8>,
}

impl Pump {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut commanded = true;
        loop {
            tokio::select! {
                ready = self.pipe.readable() => {
                    if ready.is_err() || self.empty().is_err() {
                        break;
                    }
                }
                command = commands.recv(), if commanded => match command {
                    Some(command) => {
                        let ended = self.empty().is_err();
                        self.owner = command.owner.or(self.owner.take());
                        // Nobody waits any more: fine.
                        let _ = command.done.send(());
                        if ended {
                            break;
                        }
                    }
                    // The instance is gone; its process may still say something before it ends.
                    None => commanded = false,
                }
            }
        }
        self.end_line();
    }

    /// Reads until the pipe is empty; an error at its end.
    fn empty(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.take(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.pipe.try_read(buffer) {
            // What came just now may be in the pipe before the runtime has heard of it.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(rustix::io::read(&self.pipe, buffer)?)
            }
            read => read,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LONGEST_LINE {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&self.line).trim_end_matches(['\n', '\r']).to_owned();
        self.line.clear();
        let line = LogLine {
            time: Timestamp::from(std::time::SystemTime::now()),
            function: self.function.clone(),
            request_id: self.owner.as_ref().map(|owner| owner.request_id.clone()),
            stream: self.stream,
            text,
        };
        let execution = self.owner.as_ref().and_then(|owner| owner.execution.as_deref());
        self.logs.append(execution, line);
    }
}
