//! Explore: the same workflow with its concurrent parts completing in other orders.

mod schedule;
mod scheduler;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use durable_runtime::Root;

use self::schedule::{Choice, Chooser, Plan, alternatives};
use crate::{
    clock::virtual_time,
    effects::take_effects,
    gate::Gates,
    probe::Boundaries,
    random::Random,
    scenario::{Scenario, Survived},
    trials::{Trials, in_parallel, panic_text, trials},
};

pub use schedule::{NoSchedule, Schedule};

/// Runs that are begun before their results are looked at.
const BATCH: usize = 64;

/// A workflow to be run with the attempts of its steps, the answers to its callbacks and invokes, and its waits in
/// many different orders.
///
/// Each attempt of a step waits in front of its body until it is chosen, and so does each scripted answer; where
/// a wait or a retry is open, time going on is a choice too. Small workflows are run in all orders. Of large ones,
/// half of the runs are those that differ least from the order of the code, and half are drawn by a seed.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// use durable_runtime::prelude::*;
/// use durable_testing::{Explore, Scenario};
///
/// #[durable_step]
/// async fn deposit(cents: u32) -> Result<u32, Error> { Ok(cents) }
/// #[durable_step]
/// async fn withdraw(cents: u32) -> Result<u32, Error> { Ok(cents) }
///
/// #[durable_execution]
/// async fn settle() -> Result<(), Error> {
///     try_join!(deposit(5), withdraw(5)).await?;
///     Ok(())
/// }
///
/// let explored = Explore::of(|| {
///     let account = Arc::new(AtomicU32::new(5));
///     let (giving, taking) = (Arc::clone(&account), Arc::clone(&account));
///     Scenario::new(settle, ())
///         .prepare(move |test| {
///             test.fake_step("deposit", move |_| Ok::<_, Error>(giving.fetch_add(5, Ordering::Relaxed)));
///             test.fake_step("withdraw", move |_| Ok::<_, Error>(taking.fetch_sub(5, Ordering::Relaxed)));
///         })
///         .left(move || account.load(Ordering::Relaxed))
/// })
/// .run(|run| assert_eq!(run.left.as_deref(), Some("5")));
/// assert!(explored.exhaustive);
/// assert_eq!(explored.schedules, 2);
/// ```
pub struct Explore<Arguments, F: Root<Arguments>> {
    trials: Trials<Arguments, F>,
    schedules: usize,
    seed: u64,
    replay: Option<Schedule>,
}

impl<Arguments, F: Root<Arguments>> Debug for Explore<Arguments, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explore")
            .field("schedules", &self.schedules)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// What [`Explore::run`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// How many runs were made, each with another schedule or drawn by another number.
    pub schedules: usize,
    /// True when these were all orders that there are.
    pub exhaustive: bool,
    /// The results that occurred, and how often each did.
    pub results: BTreeMap<String, usize>,
}

impl<Arguments, F> Explore<Arguments, F>
where
    Arguments: 'static,
    F: Root<Arguments> + Clone,
    F::Output: Debug + 'static,
{
    trials!(Self { schedules: 1000, seed: 0, replay: None });

    /// Makes at most so many runs. Default 1,000.
    #[must_use]
    pub const fn schedules(mut self, schedules: usize) -> Self {
        self.schedules = schedules;
        self
    }

    /// Draws by another seed. Default 0.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Makes only the run with this schedule, as a failure names it.
    ///
    /// # Panics
    ///
    /// The text is no schedule.
    #[must_use]
    pub fn replay(mut self, schedule: &str) -> Self {
        self.replay = Some(schedule.parse().unwrap_or_else(|error| panic!("{error}")));
        self
    }

    /// Makes the runs, and lets `check` look at each of them: it panics when something is wrong.
    ///
    /// # Panics
    ///
    /// `check` does. The message has the order in which things happened, and the schedule that replays it.
    pub fn run(&self, check: impl Fn(&Survived) + Sync) -> Explored {
        let explored = match &self.replay {
            Some(schedule) => self.try_one(1, Plan::Fixed(schedule.clone()), &check).map(|(result, _)| {
                Explored { schedules: 1, exhaustive: false, results: [(result, 1)].into() }
            }),
            None => self.explore(&check),
        };
        explored.unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn explore(&self, check: &(impl Fn(&Survived) + Sync)) -> Result<Explored, String> {
        let mut explored = Explored { schedules: 0, exhaustive: false, results: BTreeMap::new() };
        let mut untried = VecDeque::from([Schedule::default()]);
        // Half of the runs; all of them when that is enough for all orders.
        let systematic = self.schedules.div_ceil(2);
        while explored.schedules < systematic && !untried.is_empty() {
            let count = untried.len().min(BATCH).min(systematic - explored.schedules);
            let batch: Vec<Schedule> = untried.drain(..count).collect();
            let first = explored.schedules + 1;
            let runs = in_parallel(self.trials.threads, batch.len(), |index| {
                let schedule = batch.get(index).cloned().unwrap_or_default();
                let fixed = schedule.0.len();
                let (result, choices) = self.try_one(first + index, Plan::Fixed(schedule), check)?;
                Ok((result, alternatives(&choices, fixed).collect::<Vec<_>>()))
            })?;
            for (result, alternatives) in runs {
                explored.take(result);
                // More than will ever be tried need not be remembered.
                let room = self.schedules.saturating_sub(untried.len());
                untried.extend(alternatives.into_iter().take(room));
            }
        }
        explored.exhaustive = untried.is_empty();
        if !explored.exhaustive {
            let first = explored.schedules + 1;
            let mut seeds = Random::new(self.seed);
            let seeds: Vec<u64> = (first..=self.schedules).map(|_| seeds.below(u64::MAX)).collect();
            let runs = in_parallel(self.trials.threads, seeds.len(), |index| {
                let seed = seeds.get(index).copied().unwrap_or_default();
                self.try_one(first + index, Plan::Random(seed), check).map(|(result, _)| result)
            })?;
            runs.into_iter().for_each(|result| explored.take(result));
        }
        Ok(explored)
    }

    /// Makes one run; gives its result and its choices.
    fn try_one(
        &self,
        number: usize,
        plan: Plan,
        check: &impl Fn(&Survived),
    ) -> Result<(String, Vec<Choice>), String> {
        let chooser = Arc::new(Mutex::new(Chooser::new(plan)));
        let scheduled = Arc::clone(&chooser);
        let run = catch_unwind(AssertUnwindSafe(|| {
            let gates = Arc::new(Gates::default());
            let mut scenario = self.trials.scenario();
            scenario.gates = Some(Arc::clone(&gates));
            let scenario = scenario.prepare(move |test| {
                tokio::spawn(scheduler::run(test.clone(), gates, scheduled));
            });
            let _before = take_effects();
            let run = virtual_time(scenario.play(Arc::new(Boundaries::default())));
            check(&run);
            run.result
        }));
        let chooser = chooser.lock().unwrap_or_else(PoisonError::into_inner);
        match run {
            Ok(result) => Ok((result, chooser.choices.clone())),
            Err(panic) => Err(self.report(number, &chooser, &panic_text(&*panic))),
        }
    }

    fn report(&self, number: usize, chooser: &Chooser, wrong: &str) -> String {
        let schedule = chooser.schedule();
        let order: Vec<_> = chooser
            .order
            .iter()
            .enumerate()
            .map(|(index, what)| format!("  {}. {what}", index + 1))
            .collect();
        format!(
            "schedule `{schedule}`, run {number} of {} with seed {}: {wrong}\nthe order was:\n{}\n\
             make this run alone with `.replay(\"{schedule}\")`",
            self.schedules,
            self.seed,
            order.join("\n")
        )
    }
}

impl Explored {
    fn take(&mut self, result: String) {
        self.schedules += 1;
        *self.results.entry(result).or_default() += 1;
    }
}
