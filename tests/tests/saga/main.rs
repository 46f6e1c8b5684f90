//! Compensations: what is undone, in which order, and that it is undone whenever the process dies.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod groups;
mod scopes;

use durable_runtime::prelude::*;
use durable_testing::{CrashEverywhere, effect};
use serde::{Deserialize, Serialize};

/// An error of the user's own, which must come out as it went in.
#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum Trouble {
    #[error("no {0} left")]
    None(String),
    #[error("cut off")]
    Interrupted,
}

impl From<Interrupted> for Trouble {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

#[durable_step(compensate = release)]
async fn reserve(what: &str) -> Result<String, Trouble> {
    effect(format!("reserve {what}"));
    Ok(what.to_owned())
}

#[durable_step]
async fn release(what: String) -> Result<(), Trouble> {
    effect(format!("release {what}"));
    Ok(())
}

#[durable_step(retry(none))]
async fn sold_out(what: &str) -> Result<String, Trouble> {
    Err(Trouble::None(what.to_owned()))
}

/// Runs a workflow without a crash and with one at every boundary; gives the effects of the first run.
fn effects<A, F>(function: F, result: &str) -> Vec<String>
where
    A: 'static,
    F: durable_runtime::Root<A, Input = ()> + Clone,
    F::Output: std::fmt::Debug + 'static,
{
    let report = CrashEverywhere::new(function, || ()).run();
    assert_eq!(report.result, result);
    report.effects
}

const NONE_LEFT: &str = "Err(None(\"rooms\"))";
