//! One checkpoint call: token, validation, transitions, due timers, answer.

use std::hash::Hasher;

use durable_runtime::{
    protocol::{ErrorObject, ExecutionState, OperationAction as Action, OperationType, Timestamp, limits},
    service::{CheckpointRequest, CheckpointResponse, ServiceError},
};
use siphasher::sip::SipHasher13;

use super::{
    Execution, ExecutionKey, execution::End, invocation::LastCheckpoint, token::CheckpointToken,
    validate::validate,
};

/// What a checkpoint needs from outside.
pub struct Surroundings<'a> {
    /// The current moment.
    pub now: Timestamp,
    /// Random; callback ids are derived from it.
    pub nonce: u64,
    /// Finds the function that a chained invoke names, and what its execution is to be made of.
    /// `None` when there is no such function.
    pub resolve: &'a mut dyn FnMut(&str) -> Option<Target>,
}

impl Surroundings<'_> {
    /// A random number of its own for each operation that one checkpoint starts.
    pub(super) fn nonce_for(&self, position: usize) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.nonce, 0);
        hasher.write_usize(position);
        hasher.finish()
    }
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("now", &self.now).finish_non_exhaustive()
    }
}

/// The function that a chained invoke starts.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its bare name.
    pub function: std::sync::Arc<str>,
    /// The number of the new execution.
    pub key: ExecutionKey,
    /// Random.
    pub nonce: u64,
}

/// What an invocation is told that a pause has cut off.
const PAUSED: Refusal = Refusal::StaleToken("the execution was paused");

/// An accepted checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    /// The answer, to be given once the changes are durable.
    pub response: CheckpointResponse,
    /// Executions that it started; their creation is durable together with this checkpoint or not at all.
    pub children: Vec<Execution>,
    /// True when the answer was given before: nothing changed.
    pub repeated: bool,
    /// Why the invocation is to be given this instead of the answer: it was applied, and ended the invocation.
    pub interruption: Option<Refusal>,
}

/// Why a checkpoint or a read of the state was refused. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The token is not the current one: the invocation is over, or never was.
    #[error("Invalid Checkpoint Token: {0}")]
    StaleToken(&'static str),
    /// The request would be refused for ever.
    #[error("{0}")]
    Invalid(String),
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        let code = "InvalidParameterValueException";
        match refusal {
            Refusal::StaleToken(_) => Self::transient(code, refusal.to_string()),
            Refusal::Invalid(message) => Self::permanent(code, message),
        }
    }
}

impl Execution {
    /// Applies one checkpoint call, all of it or nothing.
    ///
    /// # Errors
    ///
    /// The token is stale or the batch is invalid; nothing changed.
    pub fn checkpoint(
        &mut self,
        request: CheckpointRequest,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<Checkpoint, Refusal> {
        if let Some(response) = self.repeated_response(&request) {
            return Ok(Checkpoint { response, children: Vec::new(), repeated: true, interruption: None });
        }
        self.check_token(&request.checkpoint_token)?;
        validate(self, &request.updates)?;
        let mut children = Vec::new();
        if self.exceeds_operation_limit(&request) {
            let error = ErrorObject::new(
                "OperationLimitExceeded",
                format!("An execution cannot have more than {} operations.", limits::OPERATIONS),
            );
            self.end(End::Failed(Some(error)), surroundings.now);
        } else {
            let known = self.operations.len();
            let mut has_finished = false;
            for update in request.updates {
                has_finished |= matches!(update.action, Action::Succeed | Action::Fail);
                self.apply(update, surroundings, &mut children);
            }
            if let Some(session) = &mut self.session {
                session.has_progressed |= has_finished || self.operations.len() > known;
            }
            self.settle_due_in_checkpoint(surroundings.now);
        }
        let interruption = self.pause_at_checkpoint(surroundings.now).then_some(PAUSED);
        let response = self.respond();
        let session = self.session.as_mut().expect("a current token implies a session");
        session.last = request.client_token.filter(|token| !token.is_empty() && interruption.is_none()).map(
            |client_token| LastCheckpoint {
                client_token,
                checkpoint_token: request.checkpoint_token,
                response: response.clone(),
            },
        );
        Ok(Checkpoint { response, children, repeated: false, interruption })
    }

    /// The stored answer, when this very request was accepted before and its answer may have been lost.
    fn repeated_response(&self, request: &CheckpointRequest) -> Option<CheckpointResponse> {
        let last = self.session.as_ref()?.last.as_ref()?;
        let same = request.client_token.as_deref() == Some(last.client_token.as_str())
            && request.checkpoint_token == last.checkpoint_token;
        same.then(|| last.response.clone())
    }

    /// Checks that `token` is the current one.
    ///
    /// # Errors
    ///
    /// It isn't, and the reason why.
    pub(super) fn check_token(&self, token: &str) -> Result<(), Refusal> {
        let token = CheckpointToken::parse(token).ok_or(Refusal::StaleToken("it is malformed"))?;
        if self.record.status.is_terminal() {
            return Err(Refusal::StaleToken("the execution has ended"));
        }
        let (Some(session), Some(_)) = (&self.session, self.record.invocation) else {
            return Err(Refusal::StaleToken("its invocation has ended"));
        };
        if token.secret != session.secret {
            return Err(Refusal::StaleToken("it belongs to another invocation"));
        }
        if session.interrupted {
            return Err(PAUSED);
        }
        if token.sequence != session.sequence {
            return Err(Refusal::StaleToken("it was used before"));
        }
        Ok(())
    }

    fn exceeds_operation_limit(&self, request: &CheckpointRequest) -> bool {
        // Cheap bound first: only a batch that might cross the limit is counted exactly.
        if self.operations.len() + request.updates.len() <= limits::OPERATIONS {
            return false;
        }
        let new: rustc_hash::FxHashSet<_> = request
            .updates
            .iter()
            .filter(|update| update.operation_type != OperationType::Execution)
            .filter(|update| !self.index.contains_key(&update.id))
            .map(|update| &update.id)
            .collect();
        self.operations.len() + new.len() > limits::OPERATIONS
    }

    /// Rotates the token and hands out what the client has not seen. No token once the execution has ended.
    fn respond(&mut self) -> CheckpointResponse {
        let session = self.session.as_mut().expect("a current token implies a session");
        session.sequence += 1;
        let token = CheckpointToken { sequence: session.sequence, secret: session.secret };
        let token = (!self.record.status.is_terminal()).then(|| token.to_string());
        let undelivered = std::mem::take(&mut session.undelivered);
        let operations = undelivered.into_iter().map(|position| self.at(position).clone()).collect();
        CheckpointResponse {
            checkpoint_token: token,
            new_execution_state: ExecutionState { operations, next_marker: None },
        }
    }
}
