//! From the model to tokens. Nothing here decides anything, and nothing can fail.

mod execution;
mod function;
mod options;
mod step;

pub(crate) use execution::expand_execution;
pub(crate) use function::with_serdes;
pub(crate) use options::expand_step_options;
pub(crate) use step::expand_step;
