//! Callbacks on one machine: from the bytes of a request to its answer.

use std::time::{Duration, SystemTime};

use durable_runtime::protocol::Timestamp;

use crate::{
    callback::{
        Answer, Arrival, Authentication, CallbackFault, Headers, Kind, MAX_CALLBACK_BYTES, Message, Request,
        Signal, admit, large_result, measured, redacted, stored_as_artifact, too_large,
    },
    local::EngineExecutions,
    ports::{Outcome, Ports},
};

/// Takes callbacks and runs the handler on each one that is let in.
#[derive(Debug)]
pub struct CallbackIntake {
    ports: Ports,
    executions: EngineExecutions,
    authentication: Authentication,
}

impl CallbackIntake {
    /// An intake that lets in whom `authentication` does.
    #[must_use]
    pub fn new(ports: Ports, executions: EngineExecutions, authentication: Authentication) -> Self {
        Self { ports, executions, authentication }
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
        // Before the execution starts: its input is a checkpoint, and must not hold what is too large for one.
        let digest = message.signal.digest();
        let Message { token, mut signal } = message;
        if let Some(result) = large_result(&signal) {
            let stored = stored_as_artifact(&*self.ports.artifacts, &token, result).await;
            let result = stored.map_err(|error| CallbackFault::storage(&self.ports, request_id, &error))?;
            signal = Signal::Outcome(Outcome::Success { result });
        }
        let message = Message { token, signal };
        let request = Request { request_id: request_id.to_owned(), received_at, message, digest };
        self.executions.run_callback(&request).await.unwrap_or_else(|error| {
            tracing::error!(event_type = "storage_error", request_id, %error);
            Err(CallbackFault::Storage { retryable: false })
        })
    }
}
