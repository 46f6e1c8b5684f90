//! The service's side of callbacks: from the bytes of a request to its answer, and what could not be delivered.

use std::time::SystemTime;

use durable_runtime::protocol::Timestamp;

use super::{Service, ServiceError};
use crate::{
    callback::{
        Answer, CallbackFault, Headers, Kind, Message, Redriven, Request, externalised, redacted, redrive,
    },
    ports::DeadLetter,
};

impl Service {
    /// Takes a callback, from the bytes of its body to the answer.
    pub async fn receive_callback(&self, headers: Headers<'_>, body: &[u8]) -> Answer {
        let request_id = uuid::Uuid::new_v4().to_string();
        tracing::info!(event_type = "callback_received", request_id, bytes = body.len());
        let now = Timestamp::from(SystemTime::now());
        if let Err(error) = self.authentication.check(headers, body, now) {
            tracing::warn!(event_type = "callback_unauthorized", request_id, %error);
            return Answer::error(401, &error.to_string());
        }
        let message = match Message::parse(body) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(event_type = "callback_invalid", request_id, %error);
                return Answer::error(400, &error.to_string());
            }
        };
        let token = message.token.clone();
        let status = message.signal.status();
        tracing::info!(event_type = "callback_validated", request_id, token = redacted(&token), status);
        let answer = match self.run_callback(&request_id, now, message).await {
            Ok(kind) => Answer::of(kind, &token, Timestamp::from(SystemTime::now())),
            Err(fault) => {
                tracing::error!(event_type = "storage_error", request_id, token = redacted(&token), %fault);
                Answer::error(500, &fault.to_string())
            }
        };
        tracing::info!(
            event_type = "callback_completed",
            request_id,
            token = redacted(&token),
            status,
            http_status = answer.status,
            elapsed_ms = Timestamp::from(SystemTime::now()).since(now).as_millis() as u64,
        );
        answer
    }

    async fn run_callback(
        &self,
        request_id: &str,
        received_at: Timestamp,
        message: Message,
    ) -> Result<Kind, CallbackFault> {
        // Before the execution starts: its input is a checkpoint, and must not hold what is too large for one.
        let digest = message.signal.digest();
        let signal = externalised(&*self.ports.artifacts, &message.token, message.signal).await?;
        let message = Message { token: message.token, signal };
        let request = Request { request_id: request_id.to_owned(), received_at, message, digest };
        self.executions.run_callback(&request).await.unwrap_or_else(|error| {
            tracing::error!(event_type = "storage_error", request_id, %error);
            Err(CallbackFault::Storage { retryable: false })
        })
    }

    /// What could not be delivered.
    ///
    /// # Errors
    ///
    /// The store is not available.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, ServiceError> {
        Ok(self.ports.callbacks.dead_letters().await?)
    }

    /// Tries to deliver the dead letters again.
    ///
    /// # Errors
    ///
    /// The store is not available.
    pub async fn redrive(&self) -> Result<Redriven, CallbackFault> {
        redrive(&self.ports).await
    }
}
