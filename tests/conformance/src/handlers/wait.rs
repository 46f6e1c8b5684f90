//! Suite 2: waits.

use durable_runtime::prelude::*;

use super::{Handler, function};

pub(super) const HANDLERS: &[Handler] =
    &[function!("2-1", short_wait), function!("2-2", named_wait), function!("2-5", an_hour)];

#[durable_execution]
pub(super) async fn short_wait() -> Result<(), Error> {
    wait("2s").await;
    Ok(())
}

#[durable_execution]
async fn named_wait() -> Result<(), Error> {
    wait("2s").named("custom_wait_name").await;
    Ok(())
}

#[durable_execution]
async fn an_hour() -> Result<(), Error> {
    wait("1h").await;
    Ok(())
}
