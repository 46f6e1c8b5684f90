//! One durable function for each requirement.

mod batch;
mod beyond;
mod callback;
mod child;
mod exit;
mod invoke;
mod map;
mod parallel;
mod plugin;
mod recorder;
mod serdes;
mod step;
mod wait;
mod wait_for_callback;
mod wait_for_condition;

#[cfg(feature = "lambda")]
use durable_runtime::lambda;
use durable_runtime::{environment::Options, workflow::SharedWorkflow};

pub use self::{exit::dying_with_its_process, recorder::Output};

/// A function that stands for one requirement, or that others invoke.
#[derive(Clone, Copy, Debug)]
pub struct Handler {
    /// The requirement, such as `1-8`, or the name of an invoked function.
    pub id: &'static str,
    workflow: fn() -> SharedWorkflow,
    #[cfg(feature = "lambda")]
    lambda: fn() -> lambda::Handler,
    options: fn(&Output) -> Options,
}

/// `function!("1-8", step_and_wait)`: a function, as each kind of host takes it.
macro_rules! function {
    ($id:literal, $function:path) => {
        $crate::handlers::Handler {
            id: $id,
            workflow: || ::durable_runtime::workflow($function),
            #[cfg(feature = "lambda")]
            lambda: || ::durable_runtime::lambda::handler($function),
            options: |_| ::durable_runtime::environment::Options::default(),
        }
    };
}
use function;

impl Handler {
    const fn with_options(self, options: fn(&Output) -> Options) -> Self {
        Self { options, ..self }
    }

    /// The name under which it is deployed.
    #[must_use]
    pub fn function_name(&self) -> String {
        function_name(self.id)
    }

    /// The function itself.
    #[must_use]
    pub fn workflow(&self) -> SharedWorkflow {
        (self.workflow)()
    }

    /// The function as AWS Lambda runs it, with its plugins writing to the standard output.
    #[cfg(feature = "lambda")]
    pub fn lambda(&self) -> lambda::Handler {
        (self.lambda)().with_options(self.options(&Output::stdout()))
    }

    /// How its driver behaves; what its plugins write goes to `output`.
    #[must_use]
    pub fn options(&self, output: &Output) -> Options {
        (self.options)(output)
    }
}

/// The name under which the function of a requirement is deployed.
#[must_use]
pub fn function_name(id: &str) -> String {
    format!("conformance-{id}")
}

/// All functions.
pub fn all() -> impl Iterator<Item = &'static Handler> {
    let suites: [&'static [Handler]; 11] = [
        step::HANDLERS,
        wait::HANDLERS,
        child::HANDLERS,
        callback::HANDLERS,
        invoke::HANDLERS,
        wait_for_condition::HANDLERS,
        wait_for_callback::HANDLERS,
        parallel::HANDLERS,
        map::HANDLERS,
        plugin::HANDLERS,
        beyond::HANDLERS,
    ];
    suites.into_iter().flatten()
}

/// The function of a requirement, by its id or by the name under which it is deployed.
#[must_use]
pub fn find(name: &str) -> Option<&'static Handler> {
    all().find(|handler| handler.id == name || handler.function_name() == name)
}
