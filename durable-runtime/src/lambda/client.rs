//! The AWS SDK's clients, each made once for each process.

use std::{env, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider, meta::credentials::CredentialsProviderChain,
    provider_config::ProviderConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_lambda::config::SharedCredentialsProvider;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

/// As AWS's durable execution SDKs set them: a checkpoint may take long, a connection may not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(50);
/// A whole request, reading the body of the answer included: that is at most a page of the state, or a payload.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// A client of Lambda's API. Retries are the SDK's, which repeat a request under the same client token.
pub(super) fn from_environment() -> aws_sdk_lambda::Client {
    aws_sdk_lambda::Client::new(&configuration("LAMBDA"))
}

/// A client of S3.
#[cfg(feature = "s3")]
pub(super) fn s3_from_environment() -> aws_sdk_s3::Client {
    let shared = configuration("S3");
    let config = aws_sdk_s3::config::Builder::from(&shared)
        // Whatever stands in for S3 seldom has a host name for each bucket.
        .force_path_style(shared.endpoint_url().is_some());
    aws_sdk_s3::Client::from_conf(config.build())
}

/// The function's own region and role, and where the service is.
///
/// Lambda says all of it in the environment, so the SDK's default chains (profiles, IMDS, STS, SSO) are left out: they
/// are never asked here, and would be a tenth of the binary. Whoever needs them passes a client of their own.
fn configuration(service: &str) -> SdkConfig {
    // Ring instead of the SDK's default cryptography: smaller, and no C tool chain beyond the compiler.
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    // SnapStart has no credentials in variables, since a snapshot outlives them: it has the container's endpoint.
    let container =
        EcsCredentialsProvider::builder().configure(&ProviderConfig::empty().with_http_client(https.clone()));
    let credentials =
        CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("Container", container.build());
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(https)
        .timeout_config(timeouts)
        // Made for streams; watching small bodies costs time, and the timeouts end a stalled one.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    let endpoint = variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| variable("AWS_ENDPOINT_URL"));
    config
        .set_endpoint_url(endpoint)
        .set_use_fips(switch("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(switch("AWS_USE_DUALSTACK_ENDPOINT"));
    config.build()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn switch(name: &str) -> Option<bool> {
    variable(name).map(|value| value.eq_ignore_ascii_case("true"))
}
