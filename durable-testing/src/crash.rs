//! Crash everywhere: one run to count the moments at which a process could die, then one run for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    future::Future,
    sync::Arc,
};

use durable_engine::RunError;
use durable_runtime::{Root, protocol::OperationId, service::BoxFuture};

use crate::{
    clock::virtual_time,
    effects::{Effect, effect_count, take_effects},
    engine::{TestEngine, TestRun, operations},
    probe::Boundaries,
    world::World,
};

/// A workflow to be crashed at every boundary: before and after each checkpoint call, at the beginning and at
/// the end of each invocation. "After" is the moment when a call is durable and its answer is lost.
///
/// Each run must give the same result as the run without a crash, and no step that was finished when the
/// process died may have its [`effect`](crate::effect) again.
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
    function: F,
    input: Box<dyn Fn() -> F::Input>,
    world: Option<Outside>,
    prepare: Option<Prepare>,
}

type Prepare = Box<dyn Fn(&TestEngine)>;
type Outside = Box<dyn Fn(World) -> BoxFuture<'static, ()>>;

impl<Arguments, F: Root<Arguments>> Debug for CrashEverywhere<Arguments, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrashEverywhere").field("function", &self.function.name()).finish_non_exhaustive()
    }
}

/// What [`CrashEverywhere::run`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashReport {
    /// The result of every run, as its `Debug` text.
    pub result: String,
    /// The boundaries of the run without a crash; as many runs with a crash were made.
    pub boundaries: usize,
    /// The checkpoint calls of the run without a crash.
    pub checkpoint_calls: usize,
    /// The effects of the run without a crash, in order.
    pub effects: Vec<String>,
}

impl<Arguments, F> CrashEverywhere<Arguments, F>
where
    Arguments: 'static,
    F: Root<Arguments> + Clone,
    F::Output: Debug + 'static,
{
    /// Crashes `function`, started with what `input` makes.
    pub fn new(function: F, input: impl Fn() -> F::Input + 'static) -> Self {
        Self { function, input: Box::new(input), world: None, prepare: None }
    }

    /// What the outside does: it runs once for each execution, beside it, and survives the crash.
    #[must_use]
    pub fn world<Fut>(mut self, world: impl Fn(World) -> Fut + 'static) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.world = Some(Box::new(move |handle| Box::pin(world(handle))));
        self
    }

    /// Prepares each engine, for example by registering functions that the workflow invokes.
    #[must_use]
    pub fn prepare(mut self, prepare: impl Fn(&TestEngine) + 'static) -> Self {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Makes all runs.
    ///
    /// # Panics
    ///
    /// A run gives another result than the one without a crash, or a finished step had its effect again. The
    /// message names the boundary.
    pub fn run(&self) -> CrashReport {
        let calm = self.run_once(0);
        for boundary in 1..=calm.boundaries {
            let crashed = self.run_once(boundary);
            let place = format!("crash at boundary {boundary} of {}", calm.boundaries);
            assert_eq!(crashed.result, calm.result, "{place}: another result");
            assert!(crashed.crashed, "{place}: never reached");
            assert_eq!(crashed.repeated, [] as [String; 0], "{place}: finished steps ran again");
            let expected = count(&calm.effects);
            let happened = count(&crashed.effects);
            let missing: Vec<_> = expected.keys().filter(|label| !happened.contains_key(*label)).collect();
            assert!(missing.is_empty(), "{place}: effects never happened: {missing:?}");
        }
        CrashReport {
            result: calm.result,
            boundaries: calm.boundaries,
            checkpoint_calls: calm.checkpoint_calls,
            effects: calm.effects.into_iter().map(|effect| effect.label).collect(),
        }
    }

    /// One run that dies at `boundary`, or never when that is 0.
    fn run_once(&self, boundary: usize) -> Ended {
        take_effects();
        virtual_time(async {
            let boundaries = Boundaries::dying_at(boundary);
            let test = TestEngine::probed(Arc::clone(&boundaries));
            if let Some(prepare) = &self.prepare {
                prepare(&test);
            }
            let run = test.start(self.function.clone(), (self.input)()).await;
            let world = self.world.as_ref().map(|world| tokio::spawn(world(run.world())));
            let mut death = None;
            let result = tokio::select! {
                result = run.output() => result,
                () = boundaries.died.notified() => {
                    death = Some(Death { finished: finished(&test, &run).await, effects: effect_count() });
                    test.kill().await;
                    test.revive();
                    run.output().await
                }
            };
            // Read before the world is stopped: it may be in the middle of a callback that nobody waits for.
            let checkpoint_calls = boundaries.checkpoints();
            // The invocation that ended the execution may still be on its way out.
            tokio::task::yield_now().await;
            if let Some(world) = world {
                world.abort();
            }
            let effects = take_effects();
            Ended {
                result: describe(result),
                boundaries: boundaries.passed(),
                checkpoint_calls,
                crashed: death.is_some(),
                repeated: death.map(|death| death.repeated(&effects)).unwrap_or_default(),
                effects,
            }
        })
    }
}

struct Ended {
    result: String,
    boundaries: usize,
    checkpoint_calls: usize,
    crashed: bool,
    repeated: Vec<String>,
    effects: Vec<Effect>,
}

/// What was certain when the process died.
struct Death {
    finished: BTreeSet<OperationId>,
    effects: usize,
}

impl Death {
    /// The effects that steps had again although they were finished.
    fn repeated(&self, effects: &[Effect]) -> Vec<String> {
        let after = effects.iter().skip(self.effects);
        let again =
            after.filter(|effect| effect.step.as_ref().is_some_and(|step| self.finished.contains(step)));
        again.map(|effect| effect.label.clone()).collect()
    }
}

async fn finished<O>(test: &TestEngine, run: &TestRun<O>) -> BTreeSet<OperationId> {
    let recorded = operations(&test.engine(), run.arn()).await.expect("the execution was started");
    let finished = recorded.into_iter().filter(|operation| operation.status.is_terminal());
    finished.map(|operation| operation.id).collect()
}

fn describe<O: Debug>(output: Result<O, RunError>) -> String {
    match output {
        Ok(output) => format!("{output:?}"),
        Err(error) => error.to_string(),
    }
}

fn count(effects: &[Effect]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for effect in effects {
        *counts.entry(effect.label.as_str()).or_default() += 1;
    }
    counts
}
