//! Posts to addresses outside, over the same TLS as the SDK's own calls.

use std::{fmt, time::Duration};

use aws_sdk_lambda::{config::http::HttpRequest, primitives::SdkBody};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};

use crate::ports::{BoxFuture, HttpPost};

const TIMEOUT: Duration = Duration::from_secs(15);

/// Posts over HTTPS, and over HTTP to stand-ins.
///
/// `reqwest` is compiled without TLS, as nothing on one machine needs it; a second TLS library for two small requests
/// would be a third of the binary.
#[derive(Clone)]
pub struct HttpsPost(SharedHttpConnector);

impl fmt::Debug for HttpsPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpsPost(..)")
    }
}

impl HttpsPost {
    /// A client that gives up after 15 seconds.
    #[must_use]
    pub fn new() -> Self {
        let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
        Self(SharedHttpConnector::new(connector))
    }
}

impl Default for HttpsPost {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpPost for HttpsPost {
    fn post(
        &self,
        url: String,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> BoxFuture<'_, Result<u16, String>> {
        Box::pin(async move {
            let request = request(&url, headers, body)?;
            match tokio::time::timeout(TIMEOUT, self.0.call(request)).await {
                Ok(Ok(answer)) => Ok(answer.status().as_u16()),
                Ok(Err(error)) => Err(described(&error)),
                Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
            }
        })
    }
}

fn request(url: &str, headers: Vec<(&'static str, String)>, body: String) -> Result<HttpRequest, String> {
    let length = body.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST").map_err(|error| error.to_string())?;
    request.set_uri(url).map_err(|_| "its address is no URL".to_owned())?;
    let fixed = [("content-type", "application/json".to_owned()), ("content-length", length)];
    for (name, value) in fixed.into_iter().chain(headers) {
        let inserted = request.headers_mut().try_insert(name, value);
        inserted.map_err(|_| format!("{name} can't be sent: it is no value of a header"))?;
    }
    Ok(request)
}

/// An error with its causes; the address is in none of them.
fn described(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
