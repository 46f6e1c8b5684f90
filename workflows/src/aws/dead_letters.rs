//! The SQS queue that shows dead letters to alarms and consoles. The truth about them is in the table.

use aws_sdk_sqs::types::Message;
use serde_json::{Value, json};

use super::{
    Clients,
    error::{described, store_error},
};
use crate::{
    callback::redacted,
    ports::{DeadLetter, StoreError},
};

const WHAT: &str = "the dead-letter queue";
/// How many messages SQS hands out at once.
const BATCH: i32 = 10;
/// A queue can't be searched. This many batches are looked through for the message of a letter that was redriven; one
/// that is not among them stays until its retention is over.
const BATCHES: usize = 10;
/// How long a message that is looked at stays hidden from others.
const HIDDEN_SECONDS: i32 = 20;

/// A queue with one message for each open dead letter.
#[derive(Clone, Debug)]
pub struct DeadLetterQueue {
    clients: Clients,
    url: String,
}

impl DeadLetterQueue {
    /// The queue at `url`.
    #[must_use]
    pub fn new(clients: &Clients, url: &str) -> Self {
        Self { clients: clients.clone(), url: url.to_owned() }
    }

    /// Shows a letter, without its token.
    pub(super) async fn show(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let body = json!({
            "id": letter.id,
            "token": redacted(&letter.token),
            "reason": letter.reason,
            "at": letter.at.to_string(),
        });
        let request = self.clients.sqs().send_message().queue_url(&self.url).message_body(body.to_string());
        request.send().await.map_err(|error| store_error(WHAT, error))?;
        Ok(())
    }

    /// Removes the message of a letter that was redriven, as well as it can: the letter itself is closed already.
    pub(super) async fn clear(&self, id: &str) {
        let mut others = Vec::new();
        for _ in 0..BATCHES {
            let messages = self.receive().await;
            if messages.is_empty() {
                break;
            }
            let (found, rest): (Vec<_>, Vec<_>) =
                messages.into_iter().partition(|message| letter_of(message).as_deref() == Some(id));
            for message in &found {
                self.delete(message).await;
            }
            others.extend(rest);
            if !found.is_empty() {
                break;
            }
        }
        for message in others {
            self.give_back(&message).await;
        }
    }

    async fn receive(&self) -> Vec<Message> {
        let request = self
            .clients
            .sqs()
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(BATCH)
            .visibility_timeout(HIDDEN_SECONDS)
            .wait_time_seconds(0);
        match request.send().await {
            Ok(answer) => answer.messages.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(error = described(&error), "{WHAT} can't be read");
                Vec::new()
            }
        }
    }

    async fn delete(&self, message: &Message) {
        let request = self.clients.sqs().delete_message().queue_url(&self.url);
        let request = request.set_receipt_handle(message.receipt_handle.clone());
        if let Err(error) = request.send().await {
            tracing::warn!(error = described(&error), "a message of {WHAT} can't be removed");
        }
    }

    async fn give_back(&self, message: &Message) {
        let request = self.clients.sqs().change_message_visibility().queue_url(&self.url);
        let request = request.set_receipt_handle(message.receipt_handle.clone()).visibility_timeout(0);
        if let Err(error) = request.send().await {
            // It shows again by itself soon.
            tracing::debug!(
                error = described(&error),
                "a message of {WHAT} stays hidden for {HIDDEN_SECONDS} s"
            );
        }
    }
}

/// Which letter a message shows.
fn letter_of(message: &Message) -> Option<String> {
    let body: Value = serde_json::from_str(message.body()?).ok()?;
    body.get("id")?.as_str().map(str::to_owned)
}
