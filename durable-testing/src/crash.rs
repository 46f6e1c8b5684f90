//! Crash everywhere: one run to find the moments at which a process could die, then one run for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
};

use durable_runtime::Root;

use crate::{
    effects::Effect,
    scenario::{Scenario, Survived},
    trials::{Trials, in_parallel, panic_text, trials},
};

/// A workflow to be crashed at every boundary: before and after each checkpoint call, at the beginning and at
/// the end of each invocation. "After" is the moment when a call is durable and its answer is lost.
///
/// Each run must give the same result and [leave](Scenario::left) the same behind as the run without a crash,
/// and no step that was finished when the process died may have its [`effect`](crate::effect) again. The runs
/// are spread over threads; what they share must not depend on their order, or see
/// [`threads`](CrashEverywhere::threads).
///
/// ```
/// use durable_runtime::prelude::*;
/// use durable_testing::{CrashEverywhere, effect};
///
/// #[durable_step]
/// async fn charge(order: u32) -> Result<u32, Error> {
///     effect("charge");
///     Ok(order)
/// }
///
/// #[durable_execution]
/// async fn checkout(order: u32) -> Result<u32, Error> {
///     let receipt = charge(order).await?;
///     let bonus: u32 = callback("bonus").create().await.result().await?;
///     Ok(receipt + bonus)
/// }
///
/// let report = CrashEverywhere::new(checkout, || 40)
///     .world(|world| async move { world.complete("bonus", &2_u32).await })
///     .run();
/// assert_eq!(report.result, "Ok(42)");
/// ```
pub struct CrashEverywhere<Arguments, F: Root<Arguments>> {
    trials: Trials<Arguments, F>,
    pairs: bool,
    only: Option<BTreeSet<usize>>,
}

impl<Arguments, F: Root<Arguments>> Debug for CrashEverywhere<Arguments, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrashEverywhere").field("pairs", &self.pairs).finish_non_exhaustive()
    }
}

/// What [`CrashEverywhere::run`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrashReport {
    /// The result of every run, as its `Debug` text.
    pub result: String,
    /// What every run left behind; see [`Scenario::left`].
    pub left: Option<String>,
    /// The boundaries of the run without a crash.
    pub boundaries: usize,
    /// The checkpoint calls of the run without a crash.
    pub checkpoint_calls: usize,
    /// The effects of the run without a crash, in order.
    pub effects: Vec<String>,
    /// How many runs with crashes were made.
    pub crashed_runs: usize,
}

impl<Arguments, F> CrashEverywhere<Arguments, F>
where
    Arguments: 'static,
    F: Root<Arguments> + Clone,
    F::Output: Debug + 'static,
{
    trials!(Self { pairs: false, only: None });

    /// Crashes at every pair of boundaries too: the second time while the execution recovers from the first
    /// crash, or later. Makes about half as many runs as the square of the number of boundaries.
    #[must_use]
    pub const fn pairs(mut self) -> Self {
        self.pairs = true;
        self
    }

    /// Makes only the run that dies at these boundaries: to look at a failure that was reported.
    #[must_use]
    pub fn only(mut self, boundaries: impl IntoIterator<Item = usize>) -> Self {
        self.only = Some(boundaries.into_iter().collect());
        self
    }

    /// Makes all runs.
    ///
    /// # Panics
    ///
    /// A run gives another result than the one without a crash, leaves something else behind, or a finished
    /// step had its effect again. The message names the boundary, the first one at which something is wrong, and
    /// says how to make that run alone.
    pub fn run(&self) -> CrashReport {
        let calm = self.trials.scenario().run();
        let crashed_runs = match &self.only {
            Some(only) => self.check(&calm, only).map(|_| 1),
            None => {
                let runs = in_parallel(self.trials.threads, calm.boundaries.len(), |index| {
                    self.check_from(&calm, index + 1)
                });
                runs.map(|runs| runs.into_iter().sum())
            }
        };
        let crashed_runs = crashed_runs.unwrap_or_else(|failure| panic!("{failure}"));
        CrashReport {
            result: calm.result,
            left: calm.left,
            boundaries: calm.boundaries.len(),
            checkpoint_calls: calm.checkpoint_calls,
            effects: calm.effects.into_iter().map(|effect| effect.label).collect(),
            crashed_runs,
        }
    }

    /// The run that dies at `first`, and those that die a second time; gives how many they are.
    fn check_from(&self, calm: &Survived, first: usize) -> Result<usize, String> {
        let once = self.check(calm, &[first].into())?;
        if !self.pairs {
            return Ok(1);
        }
        let boundaries = once.boundaries.len();
        for second in first + 1..=boundaries {
            self.check(calm, &[first, second].into())?;
        }
        Ok(1 + boundaries - first)
    }

    /// Makes one run and compares it with the calm one.
    fn check(&self, calm: &Survived, plan: &BTreeSet<usize>) -> Result<Survived, String> {
        let scenario = self.trials.scenario();
        let run = catch_unwind(AssertUnwindSafe(|| scenario.crash_at(plan.iter().copied())));
        let wrong = match &run {
            Ok(run) => compare(calm, run, plan),
            Err(panic) => Some(format!("the run panicked: {}", panic_text(&**panic))),
        };
        match (wrong, run) {
            (None, Ok(run)) => Ok(run),
            (wrong, run) => {
                let crashes = run.map(|run| run.crashes).unwrap_or_default();
                Err(report(calm, plan, &crashes, &wrong.unwrap_or_default()))
            }
        }
    }
}

/// What is wrong with a run, if anything is.
fn compare(calm: &Survived, run: &Survived, plan: &BTreeSet<usize>) -> Option<String> {
    if run.crashes.len() < plan.len() {
        return Some("the run ended before it reached the boundary".to_owned());
    }
    if run.result != calm.result {
        return Some(format!(
            "another result\n  without the crash: {}\n  with it:           {}",
            calm.result, run.result
        ));
    }
    if !run.repeated.is_empty() {
        return Some(format!("finished steps had their effects again: {:?}", run.repeated));
    }
    let happened = count(&run.effects);
    let missing: Vec<_> =
        count(&calm.effects).into_keys().filter(|label| !happened.contains_key(label)).collect();
    if !missing.is_empty() {
        return Some(format!("effects never happened: {missing:?}"));
    }
    if run.left != calm.left {
        return Some(format!(
            "it left something else behind\n  without the crash: {}\n  with it: {}",
            calm.left.as_deref().unwrap_or_default(),
            run.left.as_deref().unwrap_or_default()
        ));
    }
    None
}

fn report(
    calm: &Survived,
    plan: &BTreeSet<usize>,
    crashes: &[crate::probe::Boundary],
    wrong: &str,
) -> String {
    let of = calm.boundaries.len();
    // A run that panicked tells nothing; up to the first crash it was the calm one.
    let moment = |number: &usize| {
        let known = crashes.iter().chain(&calm.boundaries).find(|boundary| boundary.number == *number);
        known.map_or("after an earlier crash", |boundary| boundary.moment.as_str()).to_owned()
    };
    let places: Vec<_> =
        plan.iter().map(|number| format!("boundary {number} of {of}, {}", moment(number))).collect();
    let numbers: Vec<_> = plan.iter().map(ToString::to_string).collect();
    format!(
        "crash at {}: {wrong}\nmake this run alone with `.only([{}]).run()`",
        places.join(", and at "),
        numbers.join(", ")
    )
}

fn count(effects: &[Effect]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for effect in effects {
        *counts.entry(effect.label.as_str()).or_default() += 1;
    }
    counts
}
