//! Callbacks on one machine: from the bytes of a request to its answer.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use durable_runtime::protocol::Timestamp;

use super::turns::Turns;
use crate::{
    callback::{
        Answer, Arrival, Authentication, CallbackFault, Headers, Kind, MAX_CALLBACK_BYTES, Message, Request,
        Signal, admit, keep, large_result, measured, redacted, stored_as_artifact, too_large,
    },
    local::{EngineExecutions, ExecutionError},
    ports::{Outcome, Ports},
};

/// How long a callback waits for the notes on an earlier one with its token.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes callbacks and runs the handler on each one that is let in.
#[derive(Debug)]
pub struct CallbackIntake {
    ports: Ports,
    executions: EngineExecutions,
    authentication: Authentication,
    /// One callback of a token after the other, so that the same one again finds all that the first one noted.
    turns: Arc<Turns>,
}

impl CallbackIntake {
    /// An intake that lets in whom `authentication` does.
    #[must_use]
    pub fn new(ports: Ports, executions: EngineExecutions, authentication: Authentication) -> Self {
        Self { ports, executions, authentication, turns: Arc::default() }
    }

    /// Takes a callback, from the bytes of its body to the answer.
    pub async fn receive(&self, headers: Headers<'_>, body: &[u8]) -> Answer {
        let request_id = uuid::Uuid::new_v4().to_string();
        let received_at = Timestamp::from(SystemTime::now());
        let arrival =
            Arrival { request_id: &request_id, received_at, headers, limit: MAX_CALLBACK_BYTES, body };
        let answer = match admit(&self.authentication, arrival) {
            Ok(message) => self.take(&request_id, received_at, message).await,
            Err(answer) => answer,
        };
        let elapsed = Timestamp::from(SystemTime::now()).since(received_at);
        self.ports.metrics.publish(&request_id, &measured(&answer, elapsed));
        answer
    }

    /// The answer to a body that was not even read to its end.
    pub fn refuse_too_large(&self) -> Answer {
        let request_id = uuid::Uuid::new_v4().to_string();
        let answer = too_large(&request_id, MAX_CALLBACK_BYTES);
        self.ports.metrics.publish(&request_id, &measured(&answer, Duration::ZERO));
        answer
    }

    async fn take(&self, request_id: &str, received_at: Timestamp, message: Message) -> Answer {
        let (token, status) = (message.token.clone(), message.signal.status());
        let taken = self.run(request_id, received_at, message).await;
        if let Err(fault) = &taken {
            tracing::error!(event_type = fault.event_type(), request_id, token = redacted(&token), %fault);
        }
        let now = Timestamp::from(SystemTime::now());
        let answer = Answer::to(&taken, &token, now);
        answer.log(request_id, &token, status, now.since(received_at));
        answer
    }

    async fn run(
        &self,
        request_id: &str,
        received_at: Timestamp,
        message: Message,
    ) -> Result<Kind, CallbackFault> {
        let digest = message.signal.digest();
        let mut request = Request { request_id: request_id.to_owned(), received_at, message, digest };
        // Before the execution starts: its input is a checkpoint, and must not hold what is too large for one.
        if let Some(result) = large_result(&request.message.signal) {
            let stored = stored_as_artifact(&*self.ports.artifacts, &request.message.token, result).await;
            match stored {
                Ok(result) => request.message.signal = Signal::Outcome(Outcome::Success { result }),
                Err(error) => {
                    let fault = CallbackFault::storage(&self.ports, request_id, &error);
                    return self.not_begun(&request, fault).await;
                }
            }
        }
        match self.handle(&request).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(event_type = "storage_error", request_id, %error);
                self.not_begun(&request, CallbackFault::Storage { retryable: false }).await
            }
        }
    }

    /// Answers once the callback is stored and delivered. The handler goes on to note that.
    async fn handle(&self, request: &Request) -> Result<Result<Kind, CallbackFault>, ExecutionError> {
        let Message { token, signal } = &request.message;
        let turn = tokio::time::timeout(PATIENCE, self.turns.next(token)).await;
        let mut expected = match signal {
            // Out of turn the delivery could be that of another request.
            Signal::Outcome(Outcome::Success { result }) if turn.is_ok() => {
                Some(self.executions.expect_delivery(token, result))
            }
            _ => None,
        };
        let delivered = async {
            match &mut expected {
                Some(expected) => expected.delivered().await,
                None => std::future::pending().await,
            }
        };
        let (arn, _prefetched) = self.executions.start_callback(request).await?;
        let taken = tokio::select! {
            () = delivered => Ok(Ok(Kind::Delivered)),
            taken = self.executions.callback_taken(&arn) => taken,
        };
        let executions = self.executions.clone();
        tokio::spawn(async move {
            executions.ended(&arn).await;
            drop(turn);
        });
        taken
    }

    /// No execution sets aside what it could not store when there is none.
    async fn not_begun(&self, request: &Request, fault: CallbackFault) -> Result<Kind, CallbackFault> {
        // Whether or not it can be kept, its sender is told that it was not stored.
        let _ = keep(&self.ports, request, &fault).await;
        Err(fault)
    }
}
