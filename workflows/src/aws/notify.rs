//! Notifications through an SNS topic.

use aws_sdk_sns::types::MessageAttributeValue;

use super::{
    Clients,
    error::{described, is_transient},
};
use crate::ports::{BoxFuture, Notification, Notify};

/// SNS takes subjects of fewer than 100 characters.
const LONGEST_SUBJECT: usize = 99;

/// Publishes each notification to a topic, and logs it.
#[derive(Clone, Debug)]
pub struct SnsNotify {
    clients: Clients,
    topic: Option<String>,
}

impl SnsNotify {
    /// Notifications to the topic with this ARN, or to the log only.
    #[must_use]
    pub fn new(clients: &Clients, topic: Option<String>) -> Self {
        Self { clients: clients.clone(), topic }
    }

    async fn publish(&self, topic: &str, notification: &Notification) -> Result<(), String> {
        let workflow_id = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(notification.workflow_id.as_str())
            .build()
            .expect("the type is set");
        let request = self
            .clients
            .sns()
            .publish()
            .topic_arn(topic)
            .subject(subject(&notification.subject))
            .message(format!("{}\n\n{}\n", notification.message, notification.review_url))
            .message_attributes("workflow_id", workflow_id);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let verdict =
                    if is_transient(&error) { "is not available" } else { "refused the notification" };
                tracing::warn!(
                    workflow_id = notification.workflow_id.as_str(),
                    error = described(&error),
                    "notification failed"
                );
                Err(format!("the notification topic {verdict}"))
            }
        }
    }
}

impl Notify for SnsNotify {
    fn send(&self, notification: Notification) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            tracing::info!(
                workflow_id = notification.workflow_id.as_str(),
                subject = notification.subject,
                "notification"
            );
            match &self.topic {
                Some(topic) => self.publish(topic, &notification).await,
                None => Ok(()),
            }
        })
    }
}

/// A subject as SNS takes it: printable ASCII, begins with neither space nor line break, not too long. The message has
/// the topic of the workflow as it was written.
fn subject(text: &str) -> String {
    let plain: String = text
        .trim()
        .chars()
        .map(|character| if character.is_ascii_graphic() || character == ' ' { character } else { '?' })
        .collect();
    if plain.len() <= LONGEST_SUBJECT {
        return plain;
    }
    let cut = plain.get(..LONGEST_SUBJECT - 3).expect("ASCII can be cut anywhere");
    format!("{cut}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_what_sns_takes() {
        assert_eq!(subject("Approval needed: tokio"), "Approval needed: tokio");
        assert_eq!(subject(" Übersicht\nzwei"), "?bersicht?zwei");
        let long = subject(&"x".repeat(500));
        assert_eq!(long.len(), LONGEST_SUBJECT);
        assert!(long.ends_with("..."));
    }
}
