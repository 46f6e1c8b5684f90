//! Which service a command talks to.

use clap::Args;
use reqwest::Url;

use super::{Api, ClientError, transport::Transport};

/// Where the service is.
#[derive(Args, Debug)]
pub(crate) struct EndpointArguments {
    /// The service's address, such as http://127.0.0.1:9014
    /// [default: $AWS_ENDPOINT_URL_LAMBDA, $AWS_ENDPOINT_URL].
    #[arg(long, env = "DURABLE_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,
}

impl EndpointArguments {
    pub(crate) fn connect(&self) -> Result<Api, ClientError> {
        let address = self
            .endpoint
            .clone()
            .or_else(|| variable("AWS_ENDPOINT_URL_LAMBDA"))
            .or_else(|| variable("AWS_ENDPOINT_URL"));
        let Some(address) = address else {
            return Err(ClientError::Usage(
                "no service to talk to; give --endpoint http://127.0.0.1:9014 for `durable dev`".to_owned(),
            ));
        };
        match address.parse::<Url>() {
            Ok(url) if url.scheme() == "http" => Ok(Api::new(Transport::new(url))),
            Ok(url) => Err(ClientError::Usage(format!(
                "the endpoint {url} is not an http: URL; requests to AWS itself are not supported by this build"
            ))),
            Err(error) => Err(ClientError::Usage(format!("the endpoint '{address}' is not a URL: {error}"))),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
