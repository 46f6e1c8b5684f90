//! `cargo xtask lambda-build`: a function built as a user builds it, by `cargo lambda build --release`, and run on
//! `durable dev`.
//!
//! cargo-lambda has settings of its own, among them how panics end, and another linker than cargo.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    command::root,
    conformance::{self, Server},
    python::venv,
};

/// The function of the benches: so many steps, and their sum.
const FUNCTION: &str = "bench-bootstrap";
const INPUT: &str = "4";
const RESULT: &str = "82.0";

pub(crate) fn run() -> Result<()> {
    if !cfg!(target_os = "linux") {
        eprintln!("==> skipped: what cargo-lambda builds runs on Linux");
        return Ok(());
    }
    let venv = venv("lambda", "deploy/build-requirements.txt")?;
    let programs = conformance::build()?;
    let folder = conformance::emptied(programs.join("lambda-build-data"))?;

    // The linker is a Python package, which cargo-lambda looks for in the Python that it finds.
    let python = venv.program("");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([python].into_iter().chain(std::env::split_paths(&path)))?;
    let built = Command::new(venv.program("cargo-lambda"))
        .args(["lambda", "build", "--release", "--package", FUNCTION, "--features", "lambda", "--lambda-dir"])
        .arg(&folder)
        .args(cfg!(target_arch = "aarch64").then_some("--arm64"))
        .env("PATH", path)
        .current_dir(root())
        .status()
        .context("cargo-lambda could not be started")?;
    ensure!(built.success(), "`cargo lambda build --release` does not build {FUNCTION}");

    let settings = folder.join("durable.toml");
    let functions =
        conformance::function_table(&["survey".to_owned()], &folder.join(FUNCTION).join("bootstrap"))?;
    fs::write(&settings, functions).with_context(|| format!("can't write {}", settings.display()))?;
    let server = Server::start(&programs.join("durable"), &settings, &folder.join("data"))?;
    let started = Command::new(programs.join("durable"))
        .args(["start", "survey", INPUT, "--wait", "--endpoint", server.url()])
        .output()
        .context("`durable start` could not be started")?;
    let result = String::from_utf8_lossy(&started.stdout);
    ensure!(
        started.status.success() && result.trim() == RESULT,
        "{FUNCTION} does not run on `durable dev`: {result}{}",
        String::from_utf8_lossy(&started.stderr)
    );
    eprintln!("==> built by cargo-lambda, {FUNCTION} took its {INPUT} steps on `durable dev`");
    Ok(())
}
