//! What is played, in which order.

mod adapters;
mod artifacts;
mod callbacks;
mod endings;
mod guarded;
mod kills;
mod outages;
mod play;
mod requests;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::{StreamExt as _, future::BoxFuture, stream};

use crate::{report::Report, stack::World};

/// How long a scenario may take, outages of the full length aside.
const LIMIT: Duration = Duration::from_secs(200);

/// How scenarios are played.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long storage fails while callbacks are delivered.
    pub outage: Duration,
    /// What random choices follow from.
    pub seed: u64,
}

type Play = for<'a> fn(&'a World, Options) -> BoxFuture<'a, Result<()>>;

/// Something that is played on a world.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    group: Group,
    play: Play,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Nothing is broken; all at the same time.
    Calm,
    /// Stores fail; one after the other.
    Outages,
    /// Processes are killed; one after the other.
    Kills,
}

impl Group {
    const ALL: [Self; 3] = [Self::Calm, Self::Outages, Self::Kills];

    const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Outages => "outages",
            Self::Kills => "kills",
        }
    }

    const fn concurrency(self) -> usize {
        match self {
            Self::Calm => 16,
            Self::Outages | Self::Kills => 1,
        }
    }
}

/// `scenario!(Group, function)`: a scenario by its function's name.
macro_rules! scenario {
    ($group:ident, $module:ident::$name:ident) => {
        Scenario {
            name: stringify!($name),
            group: Group::$group,
            play: |world, options| Box::pin($module::$name(world, options)),
        }
    };
}

/// All scenarios.
pub const ALL: &[Scenario] = &[
    // The slowest first, as they run at the same time.
    scenario!(Calm, endings::agent_timeout_and_late_callback),
    scenario!(Calm, adapters::adapters_keep_the_contract),
    scenario!(Calm, endings::full_approval_path),
    scenario!(Calm, guarded::senders_prove_themselves),
    scenario!(Calm, guarded::webhooks_are_signed_and_repeated),
    scenario!(Calm, guarded::rest_api_events),
    scenario!(Calm, endings::rejection),
    scenario!(Calm, endings::agent_failures),
    scenario!(Calm, endings::approval_timeout),
    scenario!(Calm, endings::cancellation),
    scenario!(Calm, artifacts::results_below_and_above_200_kb),
    scenario!(Calm, artifacts::results_above_256_kb),
    scenario!(Calm, callbacks::duplicates_and_conflicts),
    scenario!(Calm, callbacks::heartbeats),
    scenario!(Calm, callbacks::unknown_tokens),
    scenario!(Calm, requests::bad_callbacks),
    scenario!(Calm, requests::bad_calls_of_the_api),
    scenario!(Outages, outages::dynamodb_refuses_stalls_and_cuts),
    scenario!(Outages, outages::s3_refuses_stalls_and_cuts),
    scenario!(Outages, outages::callbacks_while_storage_fails),
    scenario!(Outages, outages::callbacks_that_nobody_could_store),
    scenario!(Kills, kills::each_function_is_killed_at_random),
];

/// Plays the scenarios whose names or groups are in `only`, or all of them.
///
/// # Errors
///
/// No scenario has such a name.
pub async fn play(world: &World, only: &[String], options: Options) -> Result<Report> {
    let is_wanted = |scenario: &&Scenario| {
        only.is_empty() || only.iter().any(|name| name == scenario.name || name == scenario.group.name())
    };
    let wanted: Vec<_> = ALL.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        bail!(
            "there is no such scenario; there are calm, outages and kills, and in them {}",
            names.join(", ")
        );
    }
    let mut report = Report::default();
    let limit = LIMIT + options.outage * 2;
    for group in Group::ALL {
        let scenarios = wanted.iter().filter(|scenario| scenario.group == group);
        let mut played = stream::iter(scenarios)
            .map(|scenario| async move {
                let begun = Instant::now();
                let outcome = tokio::time::timeout(limit, (scenario.play)(world, options)).await;
                let outcome = outcome.unwrap_or_else(|_| bail!("it is not over after {limit:?}"));
                (scenario.name, begun.elapsed(), outcome)
            })
            .buffer_unordered(group.concurrency());
        while let Some((name, time, outcome)) = played.next().await {
            report.note(group.name(), name, time, outcome);
        }
    }
    Ok(report)
}
