//! `cargo xtask campaign`: the long versions of randomised tests.
//!
//! Each one is an ignored test named `campaign` in a test program. It reads its length and its seed from
//! `CAMPAIGN_RUNS` or `CAMPAIGN_SECONDS`, and `CAMPAIGN_SEED`.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::command::Cargo;

/// What to run, how long, and from which seed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which campaigns; all of them when none is named.
    campaigns: Vec<Campaign>,
    /// How many times the fault strikes.
    #[arg(long, default_value_t = 200)]
    runs: u32,
    /// How long wrong requests are sent.
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Where the random numbers begin. Default: from the clock; it is printed, to repeat the campaign.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Campaign {
    /// Kills a process that runs an engine, at random moments, until all its executions have finished.
    Kill,
    /// The same with the development server, the processes of its functions, and both.
    KillDev,
    /// Sends the development server what it should not be sent, while good clients use it.
    Fuzz,
}

impl Campaign {
    /// The test program that has the campaign.
    const fn program(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::KillDev => "kill_dev",
            Self::Fuzz => "fuzz",
        }
    }

    /// The package that the program is in.
    const fn package(self) -> &'static str {
        match self {
            Self::Kill | Self::KillDev => "cross-tests",
            Self::Fuzz => "durable-cli",
        }
    }

    /// What its functions are built with.
    const fn features(self) -> &'static [&'static str] {
        match self {
            Self::Kill | Self::Fuzz => &[],
            Self::KillDev => &["--features", "lambda"],
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => {
            let age = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
            u64::from(age.subsec_nanos()) ^ age.as_secs()
        }
    };
    let all = Campaign::value_variants();
    for campaign in if arguments.campaigns.is_empty() { all } else { &arguments.campaigns } {
        let cargo = Cargo::new(["test", "--package", campaign.package(), "--test", campaign.program()])
            .arguments(campaign.features().iter().copied())
            .arguments(["--", "--ignored", "--exact", "campaign", "--nocapture"])
            .variable("CAMPAIGN_RUNS", arguments.runs.to_string())
            .variable("CAMPAIGN_SECONDS", arguments.seconds.to_string())
            .variable("CAMPAIGN_SEED", seed.to_string());
        eprintln!("==> {cargo}");
        cargo.run().with_context(|| format!("the {campaign:?} campaign found something"))?;
    }
    Ok(())
}
