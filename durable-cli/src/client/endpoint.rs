//! Which service a command talks to.

use clap::Args;
use reqwest::Url;

use super::{Api, ClientError, transport::Transport};

/// Where the service is.
#[derive(Args, Debug)]
pub(crate) struct EndpointArguments {
    /// The service's address, such as http://127.0.0.1:9014
    #[cfg_attr(feature = "aws", doc = "[default: AWS, as the AWS CLI is configured].")]
    #[cfg_attr(not(feature = "aws"), doc = "[default: $AWS_ENDPOINT_URL_LAMBDA, $AWS_ENDPOINT_URL].")]
    #[arg(long, env = "DURABLE_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,

    /// The profile of the AWS configuration [default: $AWS_PROFILE].
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// The AWS region [default: $AWS_REGION, or the profile's].
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

impl EndpointArguments {
    pub(crate) async fn connect(&self) -> Result<Api, ClientError> {
        let given = self.endpoint.as_deref().map(parse).transpose()?;
        match given {
            // Of one's own: it needs no credentials.
            Some(url) if url.scheme() == "http" => Ok(Api::new(Transport::new(url))),
            Some(url) if url.scheme() != "https" => {
                Err(ClientError::Usage(format!("the endpoint {url} is neither an http: nor an https: URL")))
            }
            other => self.connect_to_aws(other).await,
        }
    }

    #[cfg(feature = "aws")]
    async fn connect_to_aws(&self, endpoint: Option<Url>) -> Result<Api, ClientError> {
        super::aws::connect(endpoint, self.profile.as_deref(), self.region.as_deref()).await.map(Api::new)
    }

    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_async, reason = "with the feature `aws` it waits for credentials")]
    async fn connect_to_aws(&self, endpoint: Option<Url>) -> Result<Api, ClientError> {
        let configured = || variable("AWS_ENDPOINT_URL_LAMBDA").or_else(|| variable("AWS_ENDPOINT_URL"));
        let url = match endpoint {
            Some(url) => Some(url),
            None => configured().as_deref().map(parse).transpose()?,
        };
        match url {
            Some(url) if url.scheme() == "http" => Ok(Api::new(Transport::new(url))),
            Some(url) => Err(ClientError::Usage(format!(
                "the endpoint {url} is not an http: URL; {NOT_IN_THIS_BUILD}"
            ))),
            None => Err(ClientError::Usage(format!(
                "no service to talk to; give --endpoint http://127.0.0.1:9014 for `durable dev`; \
                 {NOT_IN_THIS_BUILD}"
            ))),
        }
    }
}

#[cfg(not(feature = "aws"))]
const NOT_IN_THIS_BUILD: &str =
    "to talk to AWS, build `durable` with it: `cargo install --path durable-cli --features aws`";

fn parse(address: &str) -> Result<Url, ClientError> {
    let not_a_url = |error| ClientError::Usage(format!("the endpoint '{address}' is not a URL: {error}"));
    address.parse().map_err(not_a_url)
}

#[cfg(not(feature = "aws"))]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
