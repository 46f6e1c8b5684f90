//! `cargo xtask interop`: AWS's own clients and SDKs, at the development server.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{command::root, conformance, python};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Goes to pytest as it is, such as `-k callback` or `test_boto3_invoke.py`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pytest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let venv = python::venv("interop", "tests/interop/requirements.txt")?;
    let programs = conformance::build()?;
    let status = Command::new(venv.program("python"))
        .args(["-m", "pytest"])
        .args(&arguments.pytest)
        .current_dir(root().join("tests/interop"))
        .env("DURABLE_BIN", programs.join("durable"))
        // Lines come when they are written, and nothing is written beside the sources.
        .envs([("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1")])
        .status()
        .context("the tests could not be started")?;
    ensure!(status.success(), "not all tests passed; `-k NAME` runs some of them");
    Ok(())
}
