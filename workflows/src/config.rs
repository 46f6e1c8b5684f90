//! Configuration from the environment; everything that is wrong with it is reported at once.

use std::{ops::RangeInclusive, time::Duration};

use crate::callback::Authentication;

/// What the environment may say; every part is optional on one machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a reviewer has.
    pub approval_timeout: Duration,
    /// How long an agent may stay silent; by default as long as its time limit allows.
    pub heartbeat_timeout: Option<Duration>,
    /// Where notifications are posted besides the log.
    pub webhook: Option<String>,
    /// What senders of callbacks have to prove.
    pub authentication: Authentication,
}

/// Every variable that is missing or malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not usable:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
pub struct ConfigError(pub Vec<String>);

const HOUR: u64 = 60 * 60;
/// A callback may stay open for a year; the execution that waits for it, too.
const LONGEST_APPROVAL_HOURS: u64 = 8_760;
/// The embedded agents send one every 20 seconds; more than the longest phase would change nothing.
const HEARTBEAT_SECONDS: RangeInclusive<u64> = 60..=14_400;

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
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut problems = Vec::new();

        let mut number = |name: &str, range: RangeInclusive<u64>| {
            let text = variable(name)?;
            let number = text.trim().parse().ok().filter(|number| range.contains(number));
            if number.is_none() {
                let (from, to) = (range.start(), range.end());
                problems.push(format!("{name}: expected a whole number from {from} to {to}, got `{text}`"));
            }
            number
        };
        let hours = number("APPROVAL_TIMEOUT_HOURS", 1..=LONGEST_APPROVAL_HOURS).unwrap_or(24);
        let heartbeat = number("AGENT_HEARTBEAT_TIMEOUT_SECONDS", HEARTBEAT_SECONDS);
        let webhook = variable("APPROVAL_WEBHOOK_URL");
        if let Some(url) = &webhook
            && !reqwest::Url::parse(url).is_ok_and(|url| url.scheme() == "http" && url.has_host())
        {
            problems.push("APPROVAL_WEBHOOK_URL: expected an http:// URL".to_owned());
        }
        let api_key = variable("CALLBACK_API_KEY");
        let hmac_secret = variable("CALLBACK_HMAC_SECRET");
        for (name, secret) in [("CALLBACK_API_KEY", &api_key), ("CALLBACK_HMAC_SECRET", &hmac_secret)] {
            if secret.as_ref().is_some_and(|secret| secret.len() < 16) {
                problems.push(format!("{name}: expected at least 16 characters"));
            }
        }
        if api_key.as_ref().is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            problems.push(
                "CALLBACK_API_KEY: expected printable ASCII without spaces, as it is sent in a header"
                    .to_owned(),
            );
        }
        if !problems.is_empty() {
            return Err(ConfigError(problems));
        }
        Ok(Self {
            approval_timeout: Duration::from_secs(hours * HOUR),
            heartbeat_timeout: heartbeat.map(Duration::from_secs),
            webhook,
            authentication: Authentication { api_key, hmac_secret, embedded_key: None },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| {
            variables.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn everything_has_a_default() {
        let config = read(&[("CALLBACK_API_KEY", " ")]).unwrap();
        assert_eq!(config.approval_timeout, Duration::from_secs(24 * HOUR));
        assert!(!config.authentication.is_required());
    }

    #[test]
    fn all_problems_are_reported_together() {
        let error = read(&[
            ("APPROVAL_TIMEOUT_HOURS", "soon"),
            ("AGENT_HEARTBEAT_TIMEOUT_SECONDS", "59"),
            ("APPROVAL_WEBHOOK_URL", "ftp://x"),
            ("CALLBACK_API_KEY", "short"),
            ("CALLBACK_HMAC_SECRET", "short"),
        ])
        .unwrap_err();
        let names: Vec<_> = error.0.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        let expected = [
            "APPROVAL_TIMEOUT_HOURS",
            "AGENT_HEARTBEAT_TIMEOUT_SECONDS",
            "APPROVAL_WEBHOOK_URL",
            "CALLBACK_API_KEY",
            "CALLBACK_HMAC_SECRET",
        ];
        assert_eq!(names, expected);
        assert!(!error.to_string().contains("`short`"), "secrets are not repeated");
    }

    #[test]
    fn the_limits_of_the_timeout_hold() {
        for (text, is_valid) in [("1", true), ("8760", true), ("0", false), ("8761", false), ("-1", false)] {
            assert_eq!(read(&[("APPROVAL_TIMEOUT_HOURS", text)]).is_ok(), is_valid, "{text}");
        }
    }
}
