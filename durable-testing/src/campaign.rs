//! One scenario under the faults of many seeds.

use std::{
    fmt,
    fmt::Debug,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use durable_runtime::Root;

use crate::{
    faults::Faults,
    scenario::{Scenario, Survived},
    trials::{Trials, in_parallel, panic_text, trials},
};

/// A workflow to be run with the [`Faults`] of many seeds: each run must give the same result as the one without
/// faults, and [leave](Scenario::left) the same behind.
///
/// ```
/// use durable_runtime::prelude::*;
/// use durable_testing::FaultCampaign;
///
/// #[durable_step]
/// async fn greet(name: String) -> Result<String, Error> {
///     Ok(format!("Hello, {name}!"))
/// }
///
/// #[durable_execution]
/// async fn greetings() -> Result<Vec<String>, Error> {
///     Ok(map(["Ada", "Alan"], |name| greet(name.to_owned())).await?)
/// }
///
/// FaultCampaign::new(greetings, || ()).run(0..30, |faults| faults.everything(10));
/// ```
pub struct FaultCampaign<Arguments, F: Root<Arguments>> {
    trials: Trials<Arguments, F>,
}

impl<Arguments, F: Root<Arguments>> Debug for FaultCampaign<Arguments, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultCampaign")
    }
}

/// What [`FaultCampaign::run`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CampaignReport {
    /// The result of every run.
    pub result: String,
    /// The runs with faults.
    pub runs: usize,
    /// The faults of all runs.
    pub injected: usize,
}

impl<Arguments, F> FaultCampaign<Arguments, F>
where
    Arguments: 'static,
    F: Root<Arguments> + Clone,
    F::Output: Debug + 'static,
{
    trials!(Self {});

    /// Runs once for each seed, with what `faults` adds to its faults.
    ///
    /// # Panics
    ///
    /// A run gives another result than the one without faults, or leaves something else behind. The message
    /// names the seed and lists its faults.
    pub fn run(&self, seeds: Range<u64>, faults: impl Fn(Faults) -> Faults + Sync) -> CampaignReport {
        let calm = self.trials.scenario().run();
        let count = usize::try_from(seeds.end.saturating_sub(seeds.start)).unwrap_or(usize::MAX);
        let runs = in_parallel(self.trials.threads, count, |index| {
            let seed = seeds.start + index as u64;
            let faults = faults(Faults::seeded(seed));
            let scenario = self.trials.scenario().faults(&faults);
            let run = catch_unwind(AssertUnwindSafe(|| scenario.run()));
            let wrong = match run {
                Ok(run) => compare(&calm, &run),
                Err(panic) => Some(format!("the run panicked: {}", panic_text(&*panic))),
            };
            let injected = faults.injected();
            match wrong {
                None => Ok(injected.len()),
                Some(wrong) => Err(format!(
                    "seed {seed}: {wrong}\nthe faults were:\n  {}\nmake this run alone with the seeds `{seed}..{}`",
                    injected.join("\n  "),
                    seed + 1
                )),
            }
        });
        let injected = runs.unwrap_or_else(|failure| panic!("{failure}"));
        CampaignReport { result: calm.result, runs: count, injected: injected.into_iter().sum() }
    }
}

fn compare(calm: &Survived, run: &Survived) -> Option<String> {
    if run.result != calm.result {
        return Some(format!(
            "another result\n  without faults: {}\n  with them:      {}",
            calm.result, run.result
        ));
    }
    (run.left != calm.left).then(|| {
        format!(
            "it left something else behind\n  without faults: {}\n  with them: {}",
            calm.left.as_deref().unwrap_or_default(),
            run.left.as_deref().unwrap_or_default()
        )
    })
}
