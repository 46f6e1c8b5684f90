//! The function programs that benches run as processes.

use std::{io, path::PathBuf};

/// The program of the package `bench-bootstrap`, built as functions are deployed.
///
/// # Errors
///
/// It is not there: `cargo xtask bench` builds it.
pub fn program() -> io::Result<PathBuf> {
    built("bench-bootstrap", "--package bench-bootstrap --features lambda")
}

/// The callback handler, built as it is deployed.
///
/// # Errors
///
/// It is not there: `cargo xtask bench` builds it.
pub fn callback_handler() -> io::Result<PathBuf> {
    built("callback", "--package workflows --features aws --bin callback")
}

fn built(name: &str, selection: &str) -> io::Result<PathBuf> {
    // A bench lies in `<target>/release/deps`, a program of the profile `function` in `<target>/function`.
    let bench = std::env::current_exe()?;
    let target =
        bench.ancestors().nth(3).ok_or_else(|| io::Error::other("the bench is in no target folder"))?;
    let program = target.join("function").join(name);
    if program.is_file() {
        return Ok(program);
    }
    let message =
        format!("there is no {}; build it: cargo build --profile function {selection}", program.display());
    Err(io::Error::new(io::ErrorKind::NotFound, message))
}
