//! The typed face: executions by their functions, results by their types.

use std::fmt;

use durable_runtime::{
    Outcome, Root,
    protocol::{ErrorObject, Payload},
    serdes::SerdesError,
    workflow,
};

use crate::{Engine, EngineError, ExecutionStatus, StartOptions};

impl Engine {
    /// Registers a `#[durable_execution]` function and lets its executions go on.
    /// See [`Engine::register_workflow`].
    pub fn register<Arguments: 'static, F: Root<Arguments>>(&self, function: F) {
        self.register_workflow(workflow(function));
    }

    /// Starts an execution of `function`, which is registered if it was not yet. Durable when this returns.
    ///
    /// # Errors
    ///
    /// The input is too large or can't be written as JSON, or the store failed.
    pub async fn start<Arguments: 'static, F: Root<Arguments>>(
        &self,
        function: F,
        input: F::Input,
    ) -> Result<Run<F::Output>, EngineError> {
        self.start_with(function, StartOptions::default(), input).await
    }

    /// Starts an execution with a name, a tenant or a time limit. Starting again with the same name and the
    /// same input gives the execution that exists.
    ///
    /// # Errors
    ///
    /// As [`Engine::start_raw`].
    pub async fn start_with<Arguments: 'static, F: Root<Arguments>>(
        &self,
        function: F,
        options: StartOptions,
        input: F::Input,
    ) -> Result<Run<F::Output>, EngineError> {
        let name = function.name();
        let input = serde_json::to_string(&input).map_err(|error| EngineError::InvalidInput {
            function: name.to_owned(),
            message: error.to_string(),
        })?;
        if !self.registered().iter().any(|registered| registered == name) {
            self.register(function);
        }
        let mut input = Payload::from(input);
        if let Some(payloads) = self.payloads() {
            input = payloads.stow_input(input).await?;
        }
        let started = self.start_raw(name, options, input).await?;
        Ok(Run { engine: self.clone(), arn: started.arn, is_new: started.is_new, decode: F::decode })
    }

    /// A result that may be kept in the store of large payloads.
    async fn whole(&self, result: Option<Payload>) -> Result<Option<Payload>, RunError> {
        match (result, self.payloads()) {
            (Some(result), Some(payloads)) => {
                let whole = payloads.resolve(result).await;
                whole.map(Some).map_err(|error| RunError::Engine(error.into()))
            }
            (result, _) => Ok(result),
        }
    }

    /// The execution `reference` (an ARN, an id or a name), with the types of `function`.
    ///
    /// # Errors
    ///
    /// There is no such execution, it runs another function, or the store failed.
    pub async fn attach<Arguments: 'static, F: Root<Arguments>>(
        &self,
        function: &F,
        reference: &str,
    ) -> Result<Run<F::Output>, EngineError> {
        let found = self.get(reference).await?;
        if found.function != function.name() {
            return Err(EngineError::NotFound { reference: format!("{}/{reference}", function.name()) });
        }
        Ok(Run { engine: self.clone(), arn: found.arn, is_new: false, decode: F::decode })
    }
}

/// An execution with the types of its function.
#[derive(Clone)]
pub struct Run<O> {
    engine: Engine,
    arn: String,
    is_new: bool,
    decode: fn(&Outcome) -> Result<O, SerdesError>,
}

impl<O> fmt::Debug for Run<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl<O> Run<O> {
    /// The execution's ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// False when an execution of this name had been started before.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Waits until the execution has ended, and gives what its function returned.
    ///
    /// # Errors
    ///
    /// It ended otherwise than by returning, or the engine could not be asked.
    pub async fn output(&self) -> Result<O, RunError> {
        let ended = self.engine.wait_for_end(&self.arn).await.map_err(RunError::Engine)?;
        let outcome = match ended.status {
            ExecutionStatus::Succeeded => Outcome::Succeeded(self.engine.whole(ended.result).await?),
            ExecutionStatus::Failed => Outcome::Failed(ended.error.clone().unwrap_or_default()),
            status => return Err(RunError::Ended { status, error: ended.error }),
        };
        (self.decode)(&outcome).map_err(|error| match outcome {
            // Not the function's own error: a panic, a divergence, a limit.
            Outcome::Failed(error) => RunError::Ended { status: ended.status, error: Some(error) },
            Outcome::Succeeded(_) => RunError::Unreadable { message: error.to_string() },
        })
    }
}

impl<T, E> Run<Result<T, E>> {
    /// Waits until the execution has ended, and gives the value of its function.
    ///
    /// # Errors
    ///
    /// The function's own error, or how else the execution ended.
    pub async fn result(&self) -> Result<T, ResultError<E>> {
        self.output().await.map_err(ResultError::Run)?.map_err(ResultError::Failed)
    }
}

/// Why an execution's function returned nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It was stopped, it timed out, or it failed by something that is not the function's own error.
    #[error("the execution ended as {status}{}", described(.error.as_ref()))]
    Ended {
        /// How.
        status: ExecutionStatus,
        /// With which error.
        error: Option<ErrorObject>,
    },
    /// Its result is not of the function's type.
    #[error("the execution's result can't be read: {message}")]
    Unreadable {
        /// Both sides.
        message: String,
    },
    /// The engine could not be asked.
    #[error(transparent)]
    Engine(EngineError),
}

fn described(error: Option<&ErrorObject>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}

/// Why an execution gave no value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ResultError<E> {
    /// The function returned this error.
    #[error("{0}")]
    Failed(E),
    /// The function returned nothing.
    #[error(transparent)]
    Run(RunError),
}
