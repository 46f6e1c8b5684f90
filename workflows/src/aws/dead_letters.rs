//! The SQS queue of dead letters. It shows those that are in the table to alarms and consoles, and it holds whole the
//! callbacks that the table did not take.

use std::fmt;

use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry as Visibility, Message};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Clients,
    error::{described, store_error},
};
use crate::{
    callback::redacted,
    ports::{BoxFuture, DeadLetter, DeadLetterQueue, Kept, StoreError, Unstored},
};

const WHAT: &str = "the dead-letter queue";
/// How many messages SQS hands out at once.
const BATCH: i32 = 10;
/// A queue can't be searched. This many batches are looked through for the message of a letter that was redriven; one
/// that is not among them stays until its retention is over.
const BATCHES: usize = 10;
/// What one look takes up, in batches. What is beyond shows in the next one.
const KEPT_BATCHES: usize = 100;
/// How long a message that is looked at stays hidden from others.
const HIDDEN_SECONDS: i32 = 20;
/// Without a moment to wait SQS asks only some of its servers, and may miss messages.
const WAIT_SECONDS: i32 = 1;
/// The largest message that SQS takes.
const LARGEST: usize = 1024 * 1024;

/// A queue with one message for each open dead letter.
#[derive(Clone)]
pub struct SqsDeadLetters {
    clients: Clients,
    url: String,
}

impl fmt::Debug for SqsDeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqsDeadLetters").field(&self.url).finish()
    }
}

/// The message of a callback that the table did not take.
#[derive(Serialize, Deserialize)]
struct Whole<C> {
    unstored: C,
}

impl SqsDeadLetters {
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
        self.send(body.to_string()).await
    }

    /// Removes the message of a letter that was redriven, as well as it can: the letter itself is closed already.
    pub(super) async fn clear(&self, id: &str) {
        let mut others = Vec::new();
        for _ in 0..BATCHES {
            let messages = match self.receive(0).await {
                Ok(messages) if !messages.is_empty() => messages,
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "the message of a letter that was redriven stays");
                    break;
                }
            };
            let (found, rest): (Vec<_>, Vec<_>) =
                messages.into_iter().partition(|message| letter_of(message).as_deref() == Some(id));
            for message in &found {
                if let Err(error) = self.delete(message.receipt_handle.clone()).await {
                    tracing::warn!(%error, "the message of a letter that was redriven stays");
                }
            }
            others.extend(rest);
            if !found.is_empty() {
                break;
            }
        }
        self.give_back(&others).await;
    }

    async fn send(&self, body: String) -> Result<(), StoreError> {
        let request = self.clients.sqs().send_message().queue_url(&self.url).message_body(body);
        request.send().await.map_err(|error| store_error(WHAT, error))?;
        Ok(())
    }

    async fn receive(&self, wait_seconds: i32) -> Result<Vec<Message>, StoreError> {
        let request = self
            .clients
            .sqs()
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(BATCH)
            .visibility_timeout(HIDDEN_SECONDS)
            .wait_time_seconds(wait_seconds);
        let answer = request.send().await.map_err(|error| store_error(WHAT, error))?;
        Ok(answer.messages.unwrap_or_default())
    }

    async fn delete(&self, receipt: Option<String>) -> Result<(), StoreError> {
        let request = self.clients.sqs().delete_message().queue_url(&self.url).set_receipt_handle(receipt);
        request.send().await.map_err(|error| store_error(WHAT, error))?;
        Ok(())
    }

    async fn give_back(&self, messages: &[Message]) {
        for batch in messages.chunks(BATCH.unsigned_abs() as usize) {
            let entries = batch.iter().enumerate().filter_map(|(position, message)| {
                let entry = Visibility::builder().id(position.to_string()).visibility_timeout(0);
                entry.set_receipt_handle(message.receipt_handle.clone()).build().ok()
            });
            let request = self.clients.sqs().change_message_visibility_batch().queue_url(&self.url);
            if let Err(error) = request.set_entries(Some(entries.collect())).send().await {
                // They show again by themselves soon.
                let error = described(&error);
                tracing::debug!(error, "messages of {WHAT} stay hidden for {HIDDEN_SECONDS} s");
            }
        }
    }
}

impl DeadLetterQueue for SqsDeadLetters {
    fn keep(&self, callback: Unstored) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let body = body_of(&callback)?;
            if body.len() > LARGEST {
                let detail = format!("a message of {} bytes is larger than {LARGEST}", body.len());
                return Err(StoreError::Refused { what: WHAT, detail });
            }
            self.send(body).await
        })
    }

    fn kept(&self) -> BoxFuture<'_, Result<Vec<Kept>, StoreError>> {
        Box::pin(async move {
            let mut messages = Vec::new();
            let mut outcome = Ok(());
            for _ in 0..KEPT_BATCHES {
                match self.receive(WAIT_SECONDS).await {
                    Ok(received) if received.is_empty() => break,
                    Ok(received) => messages.extend(received),
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                }
            }
            // A receipt stays good until its message is handed out again.
            self.give_back(&messages).await;
            outcome?;
            let mut kept: Vec<_> = messages.into_iter().filter_map(whole_of).collect();
            kept.sort_by(|a, b| (a.callback.at, &a.callback.id).cmp(&(b.callback.at, &b.callback.id)));
            Ok(kept)
        })
    }

    fn release(&self, receipt: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.delete(Some(receipt)))
    }
}

/// SQS replaces the two characters that XML has not; as escapes they pass.
fn body_of(callback: &Unstored) -> Result<String, StoreError> {
    let body = serde_json::to_string(&Whole { unstored: callback })?;
    Ok(body.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
}

fn whole_of(message: Message) -> Option<Kept> {
    let Whole { unstored } = serde_json::from_str(&message.body?).ok()?;
    Some(Kept { callback: unstored, receipt: message.receipt_handle? })
}

/// Which letter a message shows.
fn letter_of(message: &Message) -> Option<String> {
    let body: Value = serde_json::from_str(message.body()?).ok()?;
    body.get("id")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use durable_runtime::protocol::Timestamp;

    use super::*;
    use crate::ports::Outcome;

    #[test]
    fn a_message_has_only_characters_that_sqs_takes_and_says_the_same() {
        let outcome =
            Outcome::Success { result: json!({ "a\u{ffff}": "\u{fffe}\u{0}\u{7f}\\ufffe \u{1f980}" }) };
        let (id, token) = ("r".to_owned(), "t\u{ffff}".to_owned());
        let (digest, reason) = ("d".to_owned(), "down".to_owned());
        let callback = Unstored { id, token, outcome, digest, reason, at: Timestamp::from_millis(1) };
        let body = body_of(&callback).unwrap();
        assert!(!body.contains(['\u{fffe}', '\u{ffff}', '\u{0}']), "{body:?}");
        let message = Message::builder().body(body).receipt_handle("h").build();
        assert_eq!(whole_of(message), Some(Kept { callback, receipt: "h".to_owned() }));
        let shown = Message::builder().body(r#"{"id":"l"}"#).receipt_handle("h").build();
        assert_eq!(letter_of(&shown).as_deref(), Some("l"));
        assert_eq!(whole_of(shown), None);
    }
}
