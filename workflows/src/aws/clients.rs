//! The SDK's clients, made once for each process and each by its first use.

use std::{
    env, fmt,
    sync::{Arc, LazyLock, OnceLock},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, Region, SdkConfig,
    ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    meta::credentials::CredentialsProviderChain,
    provider_config::ProviderConfig,
    retry::RetryConfig,
    timeout::{TimeoutConfig, TimeoutConfigBuilder},
};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

/// Within a region a connection takes milliseconds; what takes longer is lost.
const CONNECT: Duration = Duration::from_secs(2);
/// Small requests: one attempt, and all of them. A callback's sender waits meanwhile.
const ATTEMPT: Duration = Duration::from_secs(4);
const OPERATION: Duration = Duration::from_secs(9);
/// Whole artifacts, or parts of them; the steps that move them have two minutes.
const TRANSFER_ATTEMPT: Duration = Duration::from_secs(50);
const TRANSFER: Duration = Duration::from_secs(110);
/// An agent may have to start before it accepts a task.
const DISPATCH: Duration = Duration::from_secs(60);

/// The clients of a process; clones share them.
#[derive(Clone)]
pub struct Clients(Arc<Inner>);

#[derive(Default)]
struct Inner {
    base: OnceLock<SdkConfig>,
    /// Whether the configuration came from somebody instead of the environment.
    is_given: bool,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    sns: OnceLock<aws_sdk_sns::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    eventbridge: OnceLock<aws_sdk_eventbridge::Client>,
    lambda: OnceLock<aws_sdk_lambda::Client>,
    agentcore: OnceLock<aws_sdk_bedrockagentcore::Client>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients(..)")
    }
}

/// A client of one service: the shared configuration, the service's endpoint and its time limits.
macro_rules! client {
    ($self:ident.$cell:ident, $sdk:ident, $endpoint:literal, $timeouts:expr) => {
        $self.0.$cell.get_or_init(|| {
            let mut config = $sdk::config::Builder::from($self.base()).timeout_config($timeouts);
            config.set_endpoint_url($self.endpoint($endpoint));
            $sdk::Client::from_conf(config.build())
        })
    };
}

impl Clients {
    /// The clients of this process, configured from its environment by their first use.
    #[must_use]
    pub fn shared() -> Self {
        static SHARED: LazyLock<Clients> = LazyLock::new(|| Clients(Arc::default()));
        SHARED.clone()
    }

    /// Clients of their own on a configuration that somebody made, for tests and other places than Lambda.
    #[must_use]
    pub fn new(config: SdkConfig) -> Self {
        Self(Arc::new(Inner { base: OnceLock::from(config), is_given: true, ..Inner::default() }))
    }

    fn base(&self) -> &SdkConfig {
        self.0.base.get_or_init(from_environment)
    }

    /// Where a service is, when it is not where AWS has it: what a configuration of somebody's says for all of them,
    /// or the SDK's own variables for this one or for all.
    fn endpoint(&self, service: &str) -> Option<String> {
        if self.0.is_given {
            return self.base().endpoint_url().map(str::to_owned);
        }
        variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| variable("AWS_ENDPOINT_URL"))
    }

    /// DynamoDB.
    #[must_use]
    pub fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        client!(self.dynamodb, aws_sdk_dynamodb, "DYNAMODB", limits(ATTEMPT, OPERATION))
    }

    /// S3.
    #[must_use]
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.0.s3.get_or_init(|| {
            let endpoint = self.endpoint("S3");
            let mut config = aws_sdk_s3::config::Builder::from(self.base())
                .timeout_config(limits(TRANSFER_ATTEMPT, TRANSFER))
                // Whatever stands in for S3 seldom has a host name for each bucket.
                .force_path_style(endpoint.is_some());
            config.set_endpoint_url(endpoint);
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }

    /// SNS.
    #[must_use]
    pub fn sns(&self) -> &aws_sdk_sns::Client {
        client!(self.sns, aws_sdk_sns, "SNS", limits(ATTEMPT, OPERATION))
    }

    /// SQS.
    #[must_use]
    pub fn sqs(&self) -> &aws_sdk_sqs::Client {
        client!(self.sqs, aws_sdk_sqs, "SQS", limits(ATTEMPT, OPERATION))
    }

    /// EventBridge.
    #[must_use]
    pub fn eventbridge(&self) -> &aws_sdk_eventbridge::Client {
        client!(self.eventbridge, aws_sdk_eventbridge, "EVENTBRIDGE", limits(ATTEMPT, OPERATION))
    }

    /// Lambda, for invocations that are not waited for and for durable executions.
    #[must_use]
    pub fn lambda(&self) -> &aws_sdk_lambda::Client {
        client!(self.lambda, aws_sdk_lambda, "LAMBDA", limits(ATTEMPT, OPERATION))
    }

    /// Bedrock AgentCore. One attempt for each call: the step that dispatches retries, and says so in the history.
    #[must_use]
    pub fn agentcore(&self) -> &aws_sdk_bedrockagentcore::Client {
        self.0.agentcore.get_or_init(|| {
            let mut config = aws_sdk_bedrockagentcore::config::Builder::from(self.base())
                .timeout_config(limits(DISPATCH, DISPATCH))
                .retry_config(RetryConfig::disabled());
            config.set_endpoint_url(self.endpoint("BEDROCK_AGENTCORE"));
            aws_sdk_bedrockagentcore::Client::from_conf(config.build())
        })
    }
}

fn limits(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfigBuilder::new()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// The function's own region and role. Lambda says both in the environment, so the SDK's default chains (profiles,
/// IMDS, STS, SSO) are left out: they would only make the binary larger and its start slower.
fn from_environment() -> SdkConfig {
    // Ring instead of the SDK's default cryptography: smaller, and no C tool chain beyond the compiler.
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
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
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .http_client(https);
    config
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
