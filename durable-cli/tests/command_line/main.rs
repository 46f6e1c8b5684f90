//! The `durable` command as its users run it: a server in a process of its own, and clients.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "JSON answers `null` for what is absent, and helpers fail tests by panicking"
)]

#[cfg(feature = "aws")]
mod aws;
mod client;
mod graph;
mod orphans;
mod privacy;
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
    // Nor is the machine's own configuration of AWS anybody's business here.
    for name in
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"]
    {
        command.env_remove(name);
    }
    command
        .env_remove("AWS_DEFAULT_REGION")
        .env("AWS_CONFIG_FILE", "/nonexistent/config")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
        .env("AWS_EC2_METADATA_DISABLED", "true");
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
