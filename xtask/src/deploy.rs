//! `cargo xtask deploy-check`: AWS's own checks of the deployment template.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{command::root, python::venv};

const TEMPLATE: &str = "deploy/template.yaml";

pub(crate) fn check() -> Result<()> {
    let venv = venv("deploy", "deploy/requirements.txt")?;
    for (program, arguments) in [
        ("cfn-lint", &["--"][..]),
        ("sam", &["validate", "--lint", "--region", "us-east-1", "--template"][..]),
    ] {
        let status = Command::new(venv.program(program))
            .args(arguments)
            .arg(TEMPLATE)
            .current_dir(root())
            // Neither asks AWS anything; without a region and credentials of its own it would still look for them.
            .envs([("AWS_DEFAULT_REGION", "us-east-1"), ("SAM_CLI_TELEMETRY", "0")])
            .status()
            .with_context(|| format!("{program} could not be started"))?;
        ensure!(status.success(), "{program} finds fault with {TEMPLATE}");
    }
    Ok(())
}
