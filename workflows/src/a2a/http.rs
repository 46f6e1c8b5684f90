//! HTTP clients for calls that mostly stay on this machine.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, Url, redirect::Policy};

/// Two clients: loopback addresses are called directly, all others through the proxy of the environment,
/// if it names one. A proxy asked for `127.0.0.1` would look for the agent on its own machine.
#[derive(Debug, Clone)]
pub(crate) struct HttpClients {
    direct: Client,
    proxied: Client,
}

impl HttpClients {
    /// Clients whose calls give up after `timeout`.
    pub(crate) fn new(timeout: Duration) -> Self {
        // A redirected POST would carry the callback token to a host nobody chose.
        let builder = || {
            Client::builder()
                .timeout(timeout)
                .connect_timeout(timeout.min(Duration::from_secs(10)))
                .redirect(Policy::none())
        };
        let built = "a client without TLS has nothing to load and so can't fail to build";
        Self { direct: builder().no_proxy().build().expect(built), proxied: builder().build().expect(built) }
    }

    /// The client that reaches `url`.
    pub(crate) fn for_url(&self, url: &Url) -> &Client {
        if is_loopback(url) { &self.direct } else { &self.proxied }
    }
}

/// Whether `url` names this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// `url` without user, password, query and fragment: presigned URLs keep their signature in the query.
pub(crate) fn redact_url(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return url.split(['?', '#']).next().unwrap_or_default().to_owned();
    };
    url.set_query(None);
    url.set_fragment(None);
    // Refused only by URLs that can't have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// What went wrong in a call, with its causes and without the URL, which may hold a signature.
pub(crate) fn describe_transport_error(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { error.to_string() };
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised_by_name_and_by_address() {
        for url in ["http://localhost:1/a", "http://127.8.0.1/", "http://[::1]:9/x", "http://0.0.0.0:80/"] {
            assert!(is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
        for url in ["http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/"] {
            assert!(!is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
    }

    #[test]
    fn a_redacted_url_keeps_neither_credentials_nor_signature() {
        assert_eq!(redact_url("http://me:pw@host:1/a?signature=x#y"), "http://host:1/a");
        assert_eq!(redact_url("not a url?secret"), "not a url");
    }
}
