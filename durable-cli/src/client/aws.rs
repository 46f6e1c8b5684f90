//! AWS itself: its usual configuration, signed requests, TLS.

use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime},
};

use aws_config::{Region, SdkConfig};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider, error::CredentialsError},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector as _, orchestrator::HttpRequest};
use aws_types::service_config::ServiceConfigKey;
use axum::{
    body::{Body, Bytes, to_bytes},
    http,
};
use reqwest::{
    Request, StatusCode, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use tokio::sync::Mutex;

use super::transport::{ClientError, Transport, innermost};

const SERVICE: &str = "lambda";
/// Credentials that expire sooner are fetched anew.
const STILL_GOOD: Duration = Duration::from_secs(60);
/// Ring instead of the usual cryptography, which wants cmake.
const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

/// Reads the configuration as the AWS CLI does: environment, profiles, single sign-on, instance roles.
pub(super) async fn connect(
    endpoint: Option<Url>,
    profile: Option<&str>,
    region: Option<&str>,
) -> Result<Transport, ClientError> {
    let https = Builder::new().tls_provider(TLS).build_https();
    let mut loader = aws_config::from_env().http_client(https);
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let config = loader.load().await;
    let Some(region) = config.region().map(ToString::to_string) else {
        return Err(ClientError::Usage(format!(
            "no AWS region is configured; give --region, or set AWS_REGION or a profile's region{INSTEAD}"
        )));
    };
    let base = match endpoint.map_or_else(|| endpoint_of(&config, &region), Ok) {
        Ok(url) => url,
        Err(problem) => return Err(ClientError::Usage(problem)),
    };
    let provider = config.credentials_provider().expect("the loader always has a chain of providers");
    let connector = Connector::builder().tls_provider(TLS).proxy_config(ProxyConfig::from_env()).build();
    let profile = profile.map(str::to_owned);
    let signed = Signed { connector, provider, profile, region, cached: Mutex::default() };
    // Asked at once: what is missing here has nothing to do with the command.
    signed.credentials().await?;
    Ok(Transport::signed(base, signed))
}

const INSTEAD: &str = "; for `durable dev` give --endpoint http://127.0.0.1:9014";

fn no_credentials(error: &CredentialsError, profile: Option<&str>) -> ClientError {
    let reason = match (error, profile) {
        // The whole chain of providers, each with its reason, would hide what to do.
        (CredentialsError::CredentialsNotLoaded(_), Some(profile)) => {
            format!("the profile '{profile}' has none or does not exist")
        }
        (CredentialsError::CredentialsNotLoaded(_), None) => "none are configured".to_owned(),
        _ => innermost(error),
    };
    ClientError::Usage(format!(
        "no AWS credentials: {reason}; configure them as for the AWS CLI, with `aws configure`, --profile or \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY{INSTEAD}"
    ))
}

/// Where Lambda is: the configured address, or the one of the region.
fn endpoint_of(config: &SdkConfig, region: &str) -> Result<Url, String> {
    let key = ServiceConfigKey::builder()
        .service_id("Lambda")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .expect("every field is set");
    let configured = config
        .service_config()
        .and_then(|services| services.load_config(key))
        .or_else(|| config.endpoint_url().map(str::to_owned));
    let fips = config.use_fips().unwrap_or_default();
    let dual_stack = config.use_dual_stack().unwrap_or_default();
    let address = configured.unwrap_or_else(|| public_endpoint(region, fips, dual_stack));
    address.parse().map_err(|error| format!("the configured endpoint '{address}' is not a URL: {error}"))
}

fn public_endpoint(region: &str, fips: bool, dual_stack: bool) -> String {
    let service = if fips { "lambda-fips" } else { "lambda" };
    let domain = match (region.starts_with("cn-"), dual_stack) {
        (false, false) => "amazonaws.com",
        (false, true) => "api.aws",
        (true, false) => "amazonaws.com.cn",
        (true, true) => "api.amazonwebservices.com.cn",
    };
    format!("https://{service}.{region}.{domain}")
}

/// Sends requests with Signature Version 4.
pub(super) struct Signed {
    connector: Connector,
    provider: SharedCredentialsProvider,
    /// The one that was asked for.
    profile: Option<String>,
    region: String,
    cached: Mutex<Option<Credentials>>,
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Signed {
    async fn credentials(&self) -> Result<Credentials, ClientError> {
        let mut cached = self.cached.lock().await;
        let lasts = |credentials: &&Credentials| {
            credentials.expiry().is_none_or(|end| end > SystemTime::now() + STILL_GOOD)
        };
        if let Some(credentials) = cached.as_ref().filter(lasts) {
            return Ok(credentials.clone());
        }
        let fetched = self.provider.provide_credentials().await;
        let credentials = fetched.map_err(|error| no_credentials(&error, self.profile.as_deref()))?;
        Ok(cached.insert(credentials).clone())
    }

    pub(super) async fn sign(&self, mut request: Request) -> Result<Request, ClientError> {
        let identity = self.credentials().await?.into();
        // The default settings are what Lambda wants: a path that is encoded once more, since it does not decode
        // the one it gets before it checks the signature.
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("every field is set")
            .into();
        let headers = request.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let signed = SignableRequest::new(
            request.method().as_str(),
            request.url().as_str(),
            headers,
            SignableBody::Bytes(body),
        )
        .and_then(|signable| sign(signable, &parameters));
        let (instructions, _) = signed.map_err(|error| unsigned(&error))?.into_parts();
        for (name, value) in instructions.headers() {
            let mut value = HeaderValue::from_str(value).map_err(|error| unsigned(&error))?;
            // Or a debug line could show a session token.
            value.set_sensitive(true);
            let name = HeaderName::from_bytes(name.as_bytes());
            request.headers_mut().insert(name.map_err(|error| unsigned(&error))?, value);
        }
        Ok(request)
    }

    pub(super) async fn send(
        &self,
        request: Request,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Box<dyn Error + Send + Sync>> {
        let (parts, body) = http::Request::<reqwest::Body>::try_from(request)?.into_parts();
        let body = body.as_bytes().unwrap_or_default().to_vec();
        let request = HttpRequest::try_from(http::Request::from_parts(parts, body.into()))?;
        let (parts, body) = self.connector.call(request).await?.try_into_http1x()?.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await?;
        Ok((parts.status, parts.headers, body))
    }
}

fn unsigned(error: &(dyn Error + 'static)) -> ClientError {
    ClientError::Usage(format!("the request can't be signed: {}", innermost(error)))
}

#[cfg(test)]
mod tests {
    use super::public_endpoint;

    #[test]
    fn each_region_has_its_endpoint() {
        assert_eq!(public_endpoint("eu-west-1", false, false), "https://lambda.eu-west-1.amazonaws.com");
        assert_eq!(
            public_endpoint("us-gov-west-1", true, false),
            "https://lambda-fips.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(public_endpoint("eu-west-1", false, true), "https://lambda.eu-west-1.api.aws");
        assert_eq!(public_endpoint("cn-north-1", false, false), "https://lambda.cn-north-1.amazonaws.com.cn");
    }
}
