//! `cargo xtask e2e`: the two applications as they are deployed, driven end to end on this machine.
//!
//! The Lambda binaries are built in the development profile and hosted by `durable dev`; moto stands in for AWS's
//! stores. The driver is `tests/e2e`, which also runs those tests of the adapters for AWS that need moto.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{command::root, conformance, python::venv};

/// What to play.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Scenarios, or the groups calm, outages and kills; all of them when none is named.
    only: Vec<String>,
    /// Storage fails for a whole minute while callbacks are delivered, not for some seconds.
    #[arg(long)]
    full_outage: bool,
    /// Repeats the random choices of an earlier run, which said its seed.
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let venv = venv("moto", "tests/e2e/moto/requirements.txt")?;
    let programs = conformance::build()?;
    let programs = programs.as_path();

    let mut driver = Command::new(programs.join("e2e"));
    let mut path = |flag: &str, path: &Path| {
        driver.arg(flag).arg(path);
    };
    path("--template", &root().join("deploy/template.yaml"));
    path("--programs", programs);
    path("--durable", &programs.join("durable"));
    path("--python", &venv.program("python"));
    path("--corpus", &root().join("durable-engine"));
    path("--folder", &programs.join("e2e-data"));
    path("--adapter-tests", &conformance::test_program("workflows/tests/aws/main.rs")?);
    if arguments.full_outage {
        driver.args(["--outage", "60"]);
    }
    if let Some(seed) = arguments.seed {
        driver.arg("--seed").arg(seed.to_string());
    }
    let played = driver.args(&arguments.only).status().context("the driver could not be started")?;
    ensure!(played.success(), "not all scenarios passed");
    Ok(())
}
