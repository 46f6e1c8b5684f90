//! One execution with everything around it, and what became of it.

use std::{
    any::Any, collections::BTreeSet, fmt, fmt::Debug, future::Future, panic::resume_unwind, sync::Arc,
    time::Duration,
};

use durable_engine::RunError;
use durable_runtime::{Root, protocol::OperationId, service::BoxFuture};

use crate::{
    clock::virtual_time,
    effects::{Effect, effect_count, take_effects},
    engine::{Parts, TestEngine, operations},
    faults::Faults,
    gate::Gates,
    probe::{Boundaries, Boundary},
    run::TestRun,
    world::World,
};

/// What is done to an engine before the start.
type Prepare = Box<dyn FnOnce(&TestEngine)>;

/// One run of a workflow under test: its input, who is around it, and what to look at in the end.
///
/// Make a scenario in a closure that also makes the fakes it uses, so that each run has its own:
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use durable_runtime::prelude::*;
/// use durable_testing::{CrashEverywhere, Scenario};
///
/// #[durable_execution]
/// async fn greet(name: String) -> Result<String, Error> {
///     let letter = step!("write", { Ok::<_, Error>(format!("Dear {name}")) }).await?;
///     step!("post", { Ok::<_, Error>(letter.len()) }).await?;
///     Ok(letter)
/// }
///
/// CrashEverywhere::of(|| {
///     let letterbox = Arc::new(Mutex::new(Vec::new()));
///     let post = Arc::clone(&letterbox);
///     Scenario::new(greet, "Ada".to_owned())
///         .prepare(move |test| {
///             test.fake_step("post", move |step| {
///                 // Takes the same letter twice, and keeps it once.
///                 let mut letters = post.lock().unwrap();
///                 if !letters.contains(&step.idempotency_key()) {
///                     letters.push(step.idempotency_key());
///                 }
///                 Ok::<_, Error>(letters.len())
///             });
///         })
///         .left(move || letterbox.lock().unwrap().len())
/// })
/// .run();
/// ```
pub struct Scenario<Arguments, F: Root<Arguments>> {
    function: F,
    input: F::Input,
    prepare: Vec<Prepare>,
    world: Option<Box<dyn FnOnce(World) -> BoxFuture<'static, ()>>>,
    left: Option<Box<dyn FnOnce() -> String>>,
    faults: Option<Faults>,
    pub(crate) gates: Option<Arc<Gates>>,
}

impl<Arguments, F: Root<Arguments>> Debug for Scenario<Arguments, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario").field("function", &self.function.name()).finish_non_exhaustive()
    }
}

/// What became of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Survived {
    /// The `Debug` text of what the function returned, or how else the execution ended.
    pub result: String,
    /// What [`Scenario::left`] gave.
    pub left: Option<String>,
    /// Every boundary that was passed, in all lives of the process.
    pub boundaries: Vec<Boundary>,
    /// Those at which the process died.
    pub crashes: Vec<Boundary>,
    /// The effects that steps had again although they had been finished when the process died.
    pub repeated: Vec<String>,
    /// Every [`effect`](crate::effect), in order, in all lives.
    pub effects: Vec<Effect>,
    /// Checkpoint calls of all executions, refreshes included.
    pub checkpoint_calls: usize,
    /// Invocations of all executions.
    pub invocations: usize,
    /// Virtual time from start to end.
    pub elapsed: Duration,
}

impl Survived {
    /// The steps that had the effect `label`, each as often as it did.
    #[must_use]
    pub fn steps_with(&self, label: &str) -> Vec<OperationId> {
        let having = self.effects.iter().filter(|effect| effect.label == label);
        having.filter_map(|effect| effect.step.clone()).collect()
    }
}

impl<Arguments, F> Scenario<Arguments, F>
where
    Arguments: 'static,
    F: Root<Arguments> + Clone,
    F::Output: Debug,
{
    /// A run of `function` with `input`, alone in the world.
    pub fn new(function: F, input: F::Input) -> Self {
        Self { function, input, prepare: Vec::new(), world: None, left: None, faults: None, gates: None }
    }

    /// Prepares the engine before the start: registers functions, sets fakes and answers.
    #[must_use]
    pub fn prepare(mut self, prepare: impl FnOnce(&TestEngine) + 'static) -> Self {
        self.prepare.push(Box::new(prepare));
        self
    }

    /// What the outside does: it runs beside the execution, and survives the crashes of the process.
    #[must_use]
    pub fn world<Fut>(mut self, world: impl FnOnce(World) -> Fut + 'static) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.world = Some(Box::new(move |handle| Box::pin(world(handle))));
        self
    }

    /// What the run has left behind in the outside world: read at the end, and the same for every run.
    #[must_use]
    pub fn left<L: Debug>(mut self, left: impl FnOnce() -> L + 'static) -> Self {
        self.left = Some(Box::new(move || format!("{:#?}", left())));
        self
    }

    /// As [`Scenario::left`], for what is text already.
    #[must_use]
    pub fn left_text(mut self, left: impl FnOnce() -> String + 'static) -> Self {
        self.left = Some(Box::new(left));
        self
    }

    /// Runs with a service that misbehaves.
    #[must_use]
    pub fn faults(mut self, faults: &Faults) -> Self {
        self.faults = Some(faults.clone());
        self
    }

    /// Runs once, in virtual time.
    ///
    /// # Panics
    ///
    /// The engine refuses the execution, or the outside panics.
    #[must_use]
    pub fn run(self) -> Survived {
        self.crash_at([])
    }

    /// Runs once, and kills the process at each of these boundaries, counted from 1 over all its lives.
    ///
    /// # Panics
    ///
    /// As [`Scenario::run`].
    #[must_use]
    pub fn crash_at(self, boundaries: impl IntoIterator<Item = usize>) -> Survived {
        let boundaries = Boundaries::dying_at(boundaries.into_iter().collect());
        let _before = take_effects();
        virtual_time(self.play(boundaries))
    }

    /// Runs in the current virtual time.
    pub(crate) async fn play(self, boundaries: Arc<Boundaries>) -> Survived {
        let test = TestEngine::build(Parts {
            boundaries: Arc::clone(&boundaries),
            faults: self.faults,
            gates: self.gates,
            ..Parts::default()
        });
        for prepare in self.prepare {
            prepare(&test);
        }
        let run = test.start(self.function, self.input).await;
        let mut world = self.world.map(|world| tokio::spawn(world(run.world())));
        let mut deaths = Vec::new();
        let result = loop {
            tokio::select! {
                biased;
                () = boundaries.died.notified() => {
                    deaths.push(Death::of(&test, &run).await);
                    test.kill().await;
                    test.revive();
                }
                panic = panicked(&mut world) => resume_unwind(panic),
                output = run.output() => break describe(output),
            }
        };
        // Read before the world is stopped: it may be in the middle of a callback that nobody waits for.
        let checkpoint_calls = boundaries.total().checkpoints;
        // The invocation that ended the execution may still be on its way out.
        tokio::task::yield_now().await;
        if let Some(world) = world {
            world.abort();
        }
        let effects = take_effects();
        Survived {
            result,
            left: self.left.map(|left| left()),
            crashes: deaths.iter().map(|death| death.boundary.clone()).collect(),
            repeated: deaths.iter().flat_map(|death| death.repeated(&effects)).collect(),
            boundaries: boundaries.passed(),
            effects,
            checkpoint_calls,
            invocations: boundaries.total().invocations,
            elapsed: test.elapsed(),
        }
    }
}

/// Ready when the outside has panicked.
async fn panicked(world: &mut Option<tokio::task::JoinHandle<()>>) -> Box<dyn Any + Send> {
    if let Some(handle) = world {
        let ended = handle.await;
        *world = None;
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            return panic;
        }
    }
    std::future::pending().await
}

/// What was certain when the process died.
struct Death {
    boundary: Boundary,
    finished: BTreeSet<OperationId>,
    effects: usize,
}

impl Death {
    async fn of<O>(test: &TestEngine, run: &TestRun<O>) -> Self {
        let recorded = operations(&test.engine(), run.arn()).await.expect("the execution was started");
        let finished = recorded.into_iter().filter(|operation| operation.status.is_terminal());
        Self {
            boundary: test.boundaries().last_fatal().expect("the process died at a boundary"),
            finished: finished.map(|operation| operation.id).collect(),
            effects: effect_count(),
        }
    }

    /// The effects that steps had again although they were finished.
    fn repeated(&self, effects: &[Effect]) -> Vec<String> {
        let after = effects.iter().skip(self.effects);
        let again =
            after.filter(|effect| effect.step.as_ref().is_some_and(|step| self.finished.contains(step)));
        again.map(|effect| effect.label.clone()).collect()
    }
}

fn describe<O: Debug>(output: Result<O, RunError>) -> String {
    match output {
        Ok(output) => format!("{output:?}"),
        Err(error) => error.to_string(),
    }
}
