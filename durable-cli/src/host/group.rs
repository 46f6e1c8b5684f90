//! A process group that ends with this process, however this process ends.

use std::{io, process::Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// What leads a group: it waits until its standard input closes, which happens no later than the end of the process
/// that holds the other end, then kills the group with itself. Signals that ask the group to end are not for it.
const GUARD: &str = "trap '' HUP INT QUIT TERM; read -r _; kill -s KILL 0";

/// A group of processes. Dropping it kills all of them, and so does the end of this process, even by SIGKILL.
///
/// There is no moment without this: a process is in the group before it runs its program, and until then it holds a
/// copy of the guard's pipe, so that the guard does not miss it.
pub(super) struct Group {
    id: Pid,
    guard: Child,
}

impl Group {
    /// Forms a group that nobody else is in yet.
    pub(super) fn form() -> io::Result<Self> {
        let failed = |error: io::Error| {
            let words = format!("no process group can be formed by /bin/sh, which is to end it: {error}");
            io::Error::new(error.kind(), words)
        };
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let id = guard.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let id = id.ok_or_else(|| failed(io::Error::other("it has no id")))?;
        Ok(Self { id, guard })
    }

    /// Makes `command` start its process in this group.
    pub(super) fn take_in<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.process_group(self.id.as_raw_nonzero().get())
    }

    /// Asks every process of the group to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills every process of the group.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Kills what is left of the group, and waits for the end of its guard: until then the guard's id, which is the
    /// group's, can't become another's.
    pub(super) async fn end(mut self) {
        self.kill();
        let _ = self.guard.wait().await;
    }

    /// Lets go of the processes that are left: they may outlive this process.
    pub(super) async fn release(mut self) {
        // Fails only when it has ended already.
        let _ = self.guard.kill().await;
    }

    fn signal(&self, signal: Signal) {
        // Fails when the whole group has ended already.
        let _ = kill_process_group(self.id, signal);
    }
}
