//! Starting executions, once for each name.

use std::{sync::Arc, time::Duration};

use durable_runtime::protocol::{Payload, limits};

use super::{Engine, EngineError, batch::Batch, core::Core};
use crate::{
    service::{Execution, ExecutionArn, ExecutionKey, NewExecution, function_of_reference},
    store::StoreError,
};

/// How to start an execution. The default: a generated name, no tenant, the engine's time limit.
#[derive(Clone, Debug, Default)]
pub struct StartOptions {
    /// The execution's name, 1 to 64 characters of `[a-zA-Z0-9-_]`, unique for its function: starting again with
    /// the same name and the same input gives the execution that exists. Default: a generated one.
    pub name: Option<String>,
    /// The tenant it runs for. Default: none.
    pub tenant: Option<String>,
    /// The X-Ray header, `Root=…;Parent=…;Sampled=…`, of the trace that this belongs to: it is given to the
    /// execution's invocations, and to the executions that it starts. Default: none.
    pub trace_header: Option<String>,
    /// How long it may take, in whole seconds, from 1 s. Default: the engine's.
    pub timeout: Option<Duration>,
    /// Begins the first invocation while the start is still on its way to the disk. Default: false.
    ///
    /// Saves the wait for one write, for short executions whose starter waits for the answer. The price: until the
    /// start is durable a crash can leave the effects of first steps (not of `at_most_once` ones) without an
    /// execution that carries on. So it is for starters that start again until they are answered, and for names
    /// that nobody used before: an execution that is refused for its name may have begun its first steps.
    pub eager: bool,
}

impl StartOptions {
    /// Options with a name.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }
}

/// A started execution.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Started {
    /// Its ARN.
    pub arn: String,
    /// False when it was started before.
    pub is_new: bool,
}

impl Engine {
    /// Starts an execution of a registered function: durable when this returns. `function` is a name,
    /// `name:qualifier` or an ARN.
    ///
    /// # Errors
    ///
    /// The function is not registered, the name is taken by an execution with another input, an option or the
    /// input is out of bounds, or the store failed.
    pub async fn start_raw(
        &self,
        function: &str,
        options: StartOptions,
        input: Payload,
    ) -> Result<Started, EngineError> {
        let function = function_of_reference(function);
        let (function, _) = self.core.workflow(function).ok_or_else(|| EngineError::UnknownFunction {
            function: function.to_owned(),
            registered: self.registered(),
        })?;
        let eager = options.eager;
        let execution = self.new_execution(Arc::clone(&function), options, input.clone())?;
        let name = execution.name.clone();
        match create(&self.core, execution, eager).await {
            Ok(arn) => Ok(Started { arn, is_new: true }),
            Err(StoreError::NameTaken) => {
                self.existing(&function, name.as_deref().unwrap_or_default(), &input).await
            }
            Err(error) => Err(error.into()),
        }
    }

    fn new_execution(
        &self,
        function: Arc<str>,
        options: StartOptions,
        input: Payload,
    ) -> Result<NewExecution, EngineError> {
        if let Some(name) = options.name.as_ref().filter(|name| !is_execution_name(name)) {
            return Err(EngineError::InvalidName { name: name.clone() });
        }
        if input.len() > limits::EXECUTION_PAYLOAD {
            return Err(EngineError::InputTooLarge { bytes: input.len() });
        }
        let timeout_seconds =
            options.timeout.map_or(self.core.default_timeout_seconds, |limit| limit.as_secs());
        if !(1..=limits::MAX_WAIT_SECONDS).contains(&timeout_seconds) {
            return Err(EngineError::InvalidTimeout { seconds: timeout_seconds });
        }
        Ok(NewExecution {
            key: self.core.store.next_key(),
            nonce: self.core.nonce(),
            region: Arc::clone(&self.core.region),
            function,
            name: options.name.map(Into::into),
            tenant: options.tenant.map(Into::into),
            trace_header: options.trace_header.map(Into::into),
            timeout_seconds,
            parent: None,
            input: Some(input),
        })
    }

    /// The execution that has the name already, if it was started with the same input.
    async fn existing(&self, function: &str, name: &str, input: &Payload) -> Result<Started, EngineError> {
        for key in self.core.store.find(name.to_owned()).await? {
            let Some(stored) = self.core.store.record(key).await? else { continue };
            if *stored.record.function != *function {
                continue;
            }
            let arn = stored.record.arn();
            if stored.input.as_ref() == Some(input) {
                return Ok(Started { arn, is_new: false });
            }
            return Err(EngineError::AlreadyStarted {
                function: function.to_owned(),
                name: name.to_owned(),
                arn,
            });
        }
        Err(EngineError::NotFound { reference: name.to_owned() })
    }
}

async fn create(core: &Arc<Core>, new: NewExecution, eager: bool) -> Result<String, StoreError> {
    let mut batch = Batch::new(core);
    batch.eager = eager;
    let execution = Execution::create(new, batch.now);
    let arn = execution.record().arn();
    let slot = core.live.insert(execution);
    let commit = match slot.lock() {
        Some(mut execution) => {
            batch.add(&slot, &mut execution);
            batch.submit()
        }
        None => return Err(StoreError::Void),
    };
    drop(slot);
    commit.wait().await?;
    Ok(arn)
}

pub(super) fn is_execution_name(name: &str) -> bool {
    (1..=limits::EXECUTION_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The key inside an execution's ARN or id, if the text is one of these.
pub(super) fn key_of_reference(reference: &str) -> Option<ExecutionKey> {
    match ExecutionArn::parse(reference) {
        Some(arn) => arn.key(),
        None => ExecutionArn { region: "", function: "", name: "", id: reference }.key(),
    }
}
