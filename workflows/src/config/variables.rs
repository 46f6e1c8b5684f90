//! Reads variables and remembers everything that is wrong with them.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use reqwest::Url;

use crate::callback::{Authentication, WebhookOptions};

const HOUR: u64 = 60 * 60;
/// A callback may stay open for a year; the execution that waits for it, too.
const APPROVAL_HOURS: RangeInclusive<u64> = 1..=8_760;
const APPROVAL_SECONDS: RangeInclusive<u64> = 1..=8_760 * HOUR;
/// The embedded agents send one every 20 seconds; more than the longest phase would change nothing.
const HEARTBEAT_SECONDS: RangeInclusive<u64> = 60..=14_400;
/// As long as Lambda keeps histories, at most.
const HISTORY_DAYS: RangeInclusive<u64> = 1..=90;
const SHORTEST_SECRET: usize = 16;

/// Every variable that is missing or malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not usable:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
pub struct ConfigError(pub Vec<String>);

/// Variables, and what is wrong with those that were asked for so far. What a malformed one reads as does not
/// matter: nobody gets past [`finish`](Self::finish).
pub(crate) struct Variables<F> {
    lookup: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    pub(crate) fn new(lookup: F) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    /// The error with all problems, if there are any.
    pub(crate) fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigError(self.problems)) }
    }

    /// A variable; an empty one counts as absent.
    pub(crate) fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn problem(&mut self, name: &str, problem: impl std::fmt::Display) {
        self.problems.push(format!("{name}: {problem}"));
    }

    /// A variable of a certain form, which `expected` describes.
    pub(crate) fn checked(
        &mut self,
        name: &str,
        expected: &str,
        is_valid: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let value = self.optional(name)?;
        if !is_valid(&value) {
            self.problem(name, format_args!("expected {expected}, got `{value}`"));
        }
        Some(value)
    }

    /// A variable that has to be there.
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "everything is optional on one machine"))]
    pub(crate) fn required(&mut self, name: &str, expected: &str, is_valid: impl Fn(&str) -> bool) -> String {
        self.checked(name, expected, is_valid).unwrap_or_else(|| {
            self.problem(name, format_args!("is missing; expected {expected}"));
            String::new()
        })
    }

    fn number(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let parsed = |text: &str| text.parse().ok().filter(|number| range.contains(number));
        self.checked(name, &expected, |text| parsed(text).is_some()).and_then(|text| parsed(&text))
    }

    /// `APPROVAL_TIMEOUT_HOURS`; `APPROVAL_TIMEOUT_SECONDS` goes before it, for tests of a deployment.
    pub(crate) fn approval_timeout(&mut self) -> Duration {
        let hours = self.number("APPROVAL_TIMEOUT_HOURS", APPROVAL_HOURS).unwrap_or(24);
        let seconds = self.number("APPROVAL_TIMEOUT_SECONDS", APPROVAL_SECONDS);
        Duration::from_secs(seconds.unwrap_or(hours * HOUR))
    }

    /// `AGENT_HEARTBEAT_TIMEOUT_SECONDS`
    pub(crate) fn heartbeat_timeout(&mut self) -> Option<Duration> {
        self.number("AGENT_HEARTBEAT_TIMEOUT_SECONDS", HEARTBEAT_SECONDS).map(Duration::from_secs)
    }

    /// `HISTORY_RETENTION_DAYS`
    pub(crate) fn history_retention(&mut self) -> Duration {
        let days = self.number("HISTORY_RETENTION_DAYS", HISTORY_DAYS).unwrap_or(14);
        Duration::from_secs(days * 24 * HOUR)
    }

    /// An address; it is not repeated in the error, since it may carry a secret.
    pub(crate) fn url(&mut self, name: &str, schemes: &[&str]) -> Option<String> {
        let url = self.optional(name)?;
        if !is_url(&url, schemes) {
            self.problem(name, expected_url(schemes));
        }
        Some(url)
    }

    /// An address that has to be there.
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "everything is optional on one machine"))]
    pub(crate) fn required_url(&mut self, name: &str, schemes: &[&str]) -> String {
        self.url(name, schemes).unwrap_or_else(|| {
            self.problem(name, format_args!("is missing; {}", expected_url(schemes)));
            String::new()
        })
    }

    fn secret(&mut self, name: &str) -> Option<String> {
        let secret = self.optional(name)?;
        if secret.len() < SHORTEST_SECRET {
            self.problem(name, format_args!("expected at least {SHORTEST_SECRET} characters"));
        }
        Some(secret)
    }

    /// `CALLBACK_API_KEY`, `CALLBACK_HMAC_SECRET`
    pub(crate) fn authentication(&mut self) -> Authentication {
        let api_key = self.api_key();
        let hmac_secret = self.secret("CALLBACK_HMAC_SECRET");
        Authentication { api_key, hmac_secret, embedded_key: None }
    }

    /// `CALLBACK_API_KEY`
    pub(crate) fn api_key(&mut self) -> Option<String> {
        let api_key = self.secret("CALLBACK_API_KEY");
        if api_key.as_ref().is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            self.problem(
                "CALLBACK_API_KEY",
                "expected printable ASCII without spaces, as it is sent in a header",
            );
        }
        api_key
    }

    /// `CALLBACK_WEBHOOK_URLS`, `CALLBACK_WEBHOOK_SECRET`
    pub(crate) fn callback_webhooks(&mut self, schemes: &[&str]) -> Option<WebhookOptions> {
        const URLS: &str = "CALLBACK_WEBHOOK_URLS";
        const SECRET: &str = "CALLBACK_WEBHOOK_SECRET";
        let list = self.optional(URLS)?;
        let urls: BTreeSet<String> =
            list.split([',', ' ']).filter(|url| !url.is_empty()).map(str::to_owned).collect();
        if urls.is_empty() || !urls.iter().all(|url| is_url(url, schemes)) {
            self.problem(URLS, format_args!("{}; several are separated by commas", expected_url(schemes)));
        }
        let secret = self.secret(SECRET);
        if secret.is_none() {
            self.problem(SECRET, format_args!("is missing; {URLS} needs it to sign what it sends"));
        }
        Some(WebhookOptions { urls, secret: secret.unwrap_or_default() })
    }
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host())
}

fn expected_url(schemes: &[&str]) -> String {
    format!(
        "expected an {} URL",
        schemes.iter().map(|it| format!("{it}://")).collect::<Vec<_>>().join(" or ")
    )
}
