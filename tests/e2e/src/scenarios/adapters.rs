//! The contract of the ports, and what only AWS has, kept by the adapters for AWS on the very stores of the stacks.

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use super::Options;
use crate::stack::World;

/// The tests of `workflows/tests/aws` that are ignored where there is no moto.
pub(super) async fn adapters_keep_the_contract(world: &World, _: Options) -> Result<()> {
    let output = Command::new(&world.adapter_tests)
        .args(["--ignored", "--test-threads", "4"])
        .env("MOTO_ENDPOINT", format!("http://{}", world.moto.address))
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{} could not be started", world.adapter_tests.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    // In the form in which whoever counts tests reads it.
    said.lines().filter(|line| line.starts_with("test result: ")).for_each(|line| println!("{line}"));
    if !output.status.success() {
        bail!("{}:\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
