//! Notifications as a log line and, when one is configured, a webhook.

use std::time::Duration;

use crate::{
    error::sanitised,
    ports::{BoxFuture, Notification, Notify},
};

/// Logs each notification and posts it to a webhook, if there is one.
#[derive(Clone, Debug)]
pub struct LogAndWebhook {
    webhook: Option<String>,
    client: reqwest::Client,
}

impl LogAndWebhook {
    /// Posts to `webhook` besides logging.
    #[must_use]
    pub fn new(webhook: Option<String>) -> Self {
        Self { webhook, client: reqwest::Client::new() }
    }
}

impl Notify for LogAndWebhook {
    fn send(&self, notification: Notification) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            tracing::info!(
                workflow_id = notification.workflow_id.as_str(),
                subject = notification.subject,
                "notification"
            );
            let Some(webhook) = &self.webhook else { return Ok(()) };
            let answer = self
                .client
                .post(webhook)
                .timeout(Duration::from_secs(10))
                .json(&notification)
                .send()
                .await
                .map_err(|error| sanitised(&format!("the webhook can't be reached: {error}")))?;
            if answer.status().is_success() {
                Ok(())
            } else {
                Err(format!("the webhook answered {}", answer.status()))
            }
        })
    }
}
