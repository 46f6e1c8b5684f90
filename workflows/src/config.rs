//! Configuration from the environment; everything that is wrong with it is reported at once.

mod variables;

use std::time::Duration;

pub use variables::ConfigError;
pub(crate) use variables::Variables;

use crate::callback::{Authentication, WebhookOptions};

/// What the environment may say; every part is optional on one machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a reviewer has.
    pub approval_timeout: Duration,
    /// How long an agent may stay silent; by default as long as its time limit allows.
    pub heartbeat_timeout: Option<Duration>,
    /// How long the history of an execution is kept after its end.
    pub history_retention: Duration,
    /// Where notifications are posted besides the log.
    pub webhook: Option<String>,
    /// What senders of callbacks have to prove.
    pub authentication: Authentication,
    /// Who is told of callbacks.
    pub callback_webhooks: Option<WebhookOptions>,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    ///
    /// Every variable that is malformed.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads variables from anywhere. An empty one counts as absent.
    ///
    /// # Errors
    ///
    /// Every variable that is malformed.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        // No TLS is compiled in on one machine.
        const SCHEMES: &[&str] = &["http"];
        let mut variables = Variables::new(variable);
        let config = Self {
            approval_timeout: variables.approval_timeout(),
            heartbeat_timeout: variables.heartbeat_timeout(),
            history_retention: variables.history_retention(),
            webhook: variables.url("APPROVAL_WEBHOOK_URL", SCHEMES),
            authentication: variables.authentication(),
            callback_webhooks: variables.callback_webhooks(SCHEMES),
        };
        variables.finish()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 60 * 60;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| {
            variables.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn everything_has_a_default() {
        let config = read(&[("CALLBACK_API_KEY", " ")]).unwrap();
        assert_eq!(config.approval_timeout, Duration::from_secs(24 * HOUR));
        assert_eq!(config.history_retention, Duration::from_secs(14 * 24 * HOUR));
        assert!(!config.authentication.is_required());
    }

    #[test]
    fn all_problems_are_reported_together() {
        let error = read(&[
            ("APPROVAL_TIMEOUT_HOURS", "soon"),
            ("AGENT_HEARTBEAT_TIMEOUT_SECONDS", "59"),
            ("HISTORY_RETENTION_DAYS", "0"),
            ("APPROVAL_WEBHOOK_URL", "ftp://x"),
            ("CALLBACK_API_KEY", "short"),
            ("CALLBACK_HMAC_SECRET", "short"),
            ("CALLBACK_WEBHOOK_URLS", "http://a/hook, nonsense"),
        ])
        .unwrap_err();
        let names: Vec<_> = error.0.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        let expected = [
            "APPROVAL_TIMEOUT_HOURS",
            "AGENT_HEARTBEAT_TIMEOUT_SECONDS",
            "HISTORY_RETENTION_DAYS",
            "APPROVAL_WEBHOOK_URL",
            "CALLBACK_API_KEY",
            "CALLBACK_HMAC_SECRET",
            "CALLBACK_WEBHOOK_URLS",
            "CALLBACK_WEBHOOK_SECRET",
        ];
        assert_eq!(names, expected);
        assert!(!error.to_string().contains("`short`"), "secrets are not repeated");
    }

    #[test]
    fn a_timeout_in_seconds_goes_before_the_one_in_hours() {
        let hours = ("APPROVAL_TIMEOUT_HOURS", "2");
        let config = read(&[hours, ("APPROVAL_TIMEOUT_SECONDS", "6")]).unwrap();
        assert_eq!(config.approval_timeout, Duration::from_secs(6));
        assert!(read(&[hours, ("APPROVAL_TIMEOUT_SECONDS", "0")]).is_err());
    }

    #[test]
    fn the_limits_of_the_timeout_hold() {
        for (text, is_valid) in [("1", true), ("8760", true), ("0", false), ("8761", false), ("-1", false)] {
            assert_eq!(read(&[("APPROVAL_TIMEOUT_HOURS", text)]).is_ok(), is_valid, "{text}");
        }
    }
}
