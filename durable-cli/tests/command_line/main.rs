//! The `durable` command as its users run it: a server in a process of its own, and clients.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "JSON answers `null` for what is absent, and helpers fail tests by panicking"
)]

mod client;
mod restart;
mod server;

use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

/// The longest that anything in these tests takes, by far.
const LIMIT: Duration = Duration::from_secs(30);

/// Tries until there is an answer.
fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn durable(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
    command.args(arguments);
    for name in
        ["DURABLE_ENDPOINT", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL", "DURABLE_PORT", "DURABLE_DATA"]
    {
        command.env_remove(name);
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the command writes text")
}

/// The output of a command that worked.
#[track_caller]
fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
    text(&output.stdout)
}
