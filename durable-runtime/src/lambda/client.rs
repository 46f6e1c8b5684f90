//! The AWS SDK's client, made once for each process.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::Client;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

/// As AWS's durable execution SDKs set them: a checkpoint may take long, a connection may not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(50);

/// Region, credentials and endpoint from the environment (`AWS_ENDPOINT_URL_LAMBDA` for a local engine); retries
/// are the SDK's own, which repeat a request under the same client token.
pub(super) async fn from_environment() -> Client {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    // Ring instead of the SDK's default cryptography: less than half of its size in the binary, and no C tool chain
    // beyond the compiler.
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::from_env().http_client(https).timeout_config(timeouts).load().await;
    Client::new(&config)
}
