//! Many runs of one scenario, spread over threads.

use std::{
    any::Any,
    fmt::Debug,
    future::Future,
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use durable_runtime::{Root, service::BoxFuture};

use crate::{engine::TestEngine, scenario::Scenario, world::World};

type Prepare = dyn Fn(&TestEngine) + Send + Sync;
type Outside = dyn Fn(World) -> BoxFuture<'static, ()> + Send + Sync;

/// How to make the scenario of one run.
pub(crate) struct Trials<Arguments, F: Root<Arguments>> {
    make: Box<dyn Fn() -> Scenario<Arguments, F> + Send + Sync>,
    prepare: Option<Arc<Prepare>>,
    world: Option<Arc<Outside>>,
    pub(crate) threads: usize,
}

impl<Arguments, F> Trials<Arguments, F>
where
    Arguments: 'static,
    F: Root<Arguments> + Clone,
    F::Output: Debug,
{
    pub(crate) fn of(make: impl Fn() -> Scenario<Arguments, F> + Send + Sync + 'static) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        Self { make: Box::new(make), prepare: None, world: None, threads }
    }

    pub(crate) fn new(function: F, input: impl Fn() -> F::Input + Send + Sync + 'static) -> Self {
        Self::of(move || Scenario::new(function.clone(), input()))
    }

    pub(crate) fn prepare(&mut self, prepare: impl Fn(&TestEngine) + Send + Sync + 'static) {
        self.prepare = Some(Arc::new(prepare));
    }

    pub(crate) fn world<Fut: Future<Output = ()> + Send + 'static>(
        &mut self,
        world: impl Fn(World) -> Fut + Send + Sync + 'static,
    ) {
        self.world = Some(Arc::new(move |handle| Box::pin(world(handle))));
    }

    pub(crate) fn scenario(&self) -> Scenario<Arguments, F> {
        let mut scenario = (self.make)();
        if let Some(prepare) = self.prepare.clone() {
            scenario = scenario.prepare(move |test| prepare(test));
        }
        if let Some(world) = self.world.clone() {
            scenario = scenario.world(move |handle| world(handle));
        }
        scenario
    }
}

/// The ways to say what is run, which all campaigns share.
macro_rules! trials {
    (Self { $($field:ident: $value:expr),* $(,)? }) => {
        /// Runs `function`, started with what `input` makes.
        pub fn new(function: F, input: impl Fn() -> F::Input + Send + Sync + 'static) -> Self {
            Self { trials: Trials::new(function, input), $($field: $value),* }
        }

        /// Runs scenarios: `scenario` makes a new one for each run, with everything that the run changes.
        pub fn of(scenario: impl Fn() -> Scenario<Arguments, F> + Send + Sync + 'static) -> Self {
            Self { trials: Trials::of(scenario), $($field: $value),* }
        }

        /// What the outside does: it runs once for each execution, beside it, and survives crashes.
        #[must_use]
        pub fn world<Fut>(
            mut self,
            world: impl Fn($crate::World) -> Fut + Send + Sync + 'static,
        ) -> Self
        where
            Fut: ::std::future::Future<Output = ()> + Send + 'static,
        {
            self.trials.world(world);
            self
        }

        /// Prepares each engine: registers functions that the workflow invokes, sets fakes and answers.
        #[must_use]
        pub fn prepare(
            mut self,
            prepare: impl Fn(&$crate::TestEngine) + Send + Sync + 'static,
        ) -> Self {
            self.trials.prepare(prepare);
            self
        }

        /// Runs on so many threads; with 1, one run after the other in a fixed order, on this thread.
        #[must_use]
        pub const fn threads(mut self, threads: usize) -> Self {
            self.trials.threads = threads;
            self
        }
    };
}
pub(crate) use trials;

/// Makes the runs `0..count`. Gives what they gave, or the failure of the first one in this order that fails,
/// whichever thread was faster.
pub(crate) fn in_parallel<T: Send>(
    threads: usize,
    count: usize,
    run: impl Fn(usize) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    if threads <= 1 || count <= 1 {
        return (0..count).map(run).collect();
    }
    let next = AtomicUsize::new(0);
    let first_failure: Mutex<Option<(usize, String)>> = Mutex::new(None);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let failed = |failure: &Option<(usize, String)>| {
                failure.as_ref().is_some_and(|(failed, _)| *failed < index)
            };
            // Runs are handed out in order, so all before the first failure are made.
            if index >= count || failed(&first_failure.lock().unwrap_or_else(PoisonError::into_inner)) {
                return;
            }
            match run(index) {
                Ok(value) => done.lock().unwrap_or_else(PoisonError::into_inner).push((index, value)),
                Err(failure) => {
                    let mut first = first_failure.lock().unwrap_or_else(PoisonError::into_inner);
                    if first.as_ref().is_none_or(|(failed, _)| index < *failed) {
                        *first = Some((index, failure));
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(work);
        }
    });
    if let Some((_, failure)) = first_failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, value)| value).collect())
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
