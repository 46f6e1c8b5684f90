//! Who may call.
//!
//! Nothing else stands between a page that the developer looks at and the functions on this machine: AWS clients
//! sign requests, but a local service has no secrets to check that. A page can make the browser send us requests
//! (forms, images, `fetch`), and can give its own name our address (DNS rebinding), so that it even reads the
//! answers. Programs set neither `Origin` nor `Sec-Fetch-Site`, and name us as what we are.

use std::net::IpAddr;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, Request, Uri, header},
};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Decides which requests are answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    /// Also reached from other machines: any address is one of ours, for a page has a name.
    any_address: bool,
    /// Names besides `localhost`.
    names: Vec<String>,
}

impl Guard {
    /// For a server that listens at `address`, and is also known by `names`.
    pub(crate) fn new(address: IpAddr, names: &[String]) -> Self {
        Self { any_address: !address.is_loopback(), names: names.to_vec() }
    }

    /// Why a request is not answered, in words.
    pub(crate) fn check(&self, request: &Request<Body>) -> Result<(), String> {
        let host = single(request.headers(), &header::HOST)?;
        let authorities = [host, request.uri().authority().map(axum::http::uri::Authority::as_str)];
        for authority in authorities.into_iter().flatten() {
            if !self.is_ours(authority) {
                return Err(format!(
                    "host '{authority}' is none of this server's: requests of web pages are refused; \
                     a name that is meant is given by --allow-host"
                ));
            }
        }
        let refused = |what: &str| Err(format!("{what}: requests of web pages are refused"));
        match single(request.headers(), &header::ORIGIN)? {
            Some(origin) if !self.is_own_page(origin, host) => return refused(&format!("origin '{origin}'")),
            _ => {}
        }
        match single(request.headers(), &FETCH_SITE)? {
            None | Some("none" | "same-origin") => Ok(()),
            Some(other) => refused(&format!("fetched '{other}'")),
        }
    }

    fn is_ours(&self, authority: &str) -> bool {
        let (host, _) = host_and_port(authority);
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        address.is_ok_and(|address| self.any_address || address.is_loopback())
            || host.eq_ignore_ascii_case("localhost")
            || host.to_ascii_lowercase().ends_with(".localhost")
            // How a container names the machine that it runs on.
            || host.eq_ignore_ascii_case("host.docker.internal")
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether a page is one of this very server: another port is another program, which may show anything.
    fn is_own_page(&self, origin: &str, host: Option<&str>) -> bool {
        let Ok(uri) = origin.parse::<Uri>() else { return false };
        let Some(authority) = uri.authority().filter(|_| uri.scheme_str() == Some("http")) else {
            return false;
        };
        self.is_ours(authority.as_str())
            && host.is_some_and(|host| host_and_port(host).1 == host_and_port(authority.as_str()).1)
    }
}

/// The value of a header that is given at most once, and as text: a second one might be read by somebody else.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().map(Some).map_err(|_| format!("the header '{name}' is not ASCII text"))
        }
        (Some(_), Some(_)) => Err(format!("the header '{name}' is given twice")),
    }
}

fn host_and_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (authority, "80"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn local() -> Guard {
        Guard::new(Ipv4Addr::LOCALHOST.into(), &[])
    }

    fn refused(guard: &Guard, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        guard.check(&request.body(Body::empty()).unwrap()).is_err()
    }

    #[test]
    fn only_names_of_this_machine_are_ours() {
        for ours in
            ["localhost:9014", "127.0.0.1", "127.0.0.1:80", "[::1]:9014", "api.localhost:1", "LOCALHOST"]
        {
            assert!(!refused(&local(), &[("host", ours)]), "{ours}");
        }
        for other in
            ["example.com", "10.0.0.1:80", "localhost.example.com", "", "127.0.0.1.nip.io", "[::2]:1"]
        {
            assert!(refused(&local(), &[("host", other)]), "{other}");
        }
        assert!(refused(&local(), &[("host", "localhost"), ("host", "localhost")]));
        assert!(refused(&local(), &[("host", "localhost\u{fe}")]));
    }

    #[test]
    fn the_address_in_the_request_line_counts_too() {
        let request = |uri: &str| Request::builder().uri(uri).body(Body::empty()).unwrap();
        assert!(local().check(&request("http://localhost:9014/")).is_ok());
        assert!(local().check(&request("http://example.com/")).is_err());
    }

    #[test]
    fn a_server_for_other_machines_is_called_by_any_address_and_by_the_names_it_was_given() {
        for address in [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()] {
            let guard = Guard::new(address, &["durable".to_owned()]);
            for ours in ["10.0.0.1:9014", "durable:9014", "localhost", "[fe80::1]:9014"] {
                assert!(!refused(&guard, &[("host", ours)]), "{ours}");
            }
            assert!(refused(&guard, &[("host", "example.com")]));
        }
    }

    #[test]
    fn only_pages_of_this_very_server_may_call() {
        let host = ("host", "127.0.0.1:9014");
        for origin in ["http://127.0.0.1:9014", "http://localhost:9014"] {
            assert!(!refused(&local(), &[host, ("origin", origin)]), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://localhost:3000",
            "https://localhost:9014",
            "http://example.com:9014",
            "http://localhost",
            "file://",
        ] {
            assert!(refused(&local(), &[host, ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn what_a_page_embeds_or_posts_without_an_origin_is_refused() {
        for site in ["cross-site", "same-site", "anything"] {
            assert!(refused(&local(), &[("host", "localhost"), ("sec-fetch-site", site)]), "{site}");
        }
        for site in ["none", "same-origin"] {
            assert!(!refused(&local(), &[("host", "localhost"), ("sec-fetch-site", site)]), "{site}");
        }
    }
}
