//! What the functions are told by their environment, each only what it needs.
//!
//! | variable | research | callback | api | agent |
//! | --- | --- | --- | --- | --- |
//! | `WORKFLOW_TABLE` | required | required | required | |
//! | `ARTIFACT_BUCKET` | required | required | required | required |
//! | `PAYLOAD_BUCKET`: where what is too large for a history goes, under `payloads/` | optional | optional | | optional |
//! | `RESEARCHER_AGENT_ARN`, `ANALYST_AGENT_ARN`, `WRITER_AGENT_ARN` | required | | | |
//! | `CALLBACK_API_URL`: where agents post | required | | | required |
//! | `RESEARCH_FUNCTION`: name or ARN with a qualifier | | optional | required | |
//! | `APPROVAL_TIMEOUT_HOURS` (24), `AGENT_HEARTBEAT_TIMEOUT_SECONDS` | optional | | | |
//! | `APPROVAL_TIMEOUT_SECONDS`: goes before the hours, for tests of a deployment | optional | | | |
//! | `APPROVAL_SNS_TOPIC_ARN` | optional | | | |
//! | `EVENT_BUS_NAME` | optional | | optional | |
//! | `CALLBACK_DLQ_URL` | | optional | optional | |
//! | `CALLBACK_API_KEY`, `CALLBACK_HMAC_SECRET` | | optional | | optional |
//! | `CALLBACK_WEBHOOK_URLS`, with `CALLBACK_WEBHOOK_SECRET` | | optional | | |
//! | `CORPUS_DIR` (`/opt/corpus`) | | | | optional |

use std::path::PathBuf;

use super::webhooks::ThisFunction;
use crate::{
    aws::{AgentArns, AwsConfig},
    callback::{Authentication, WebhookOptions},
    config::{ConfigError, Variables},
    ports::Settings,
};

const DEFAULT_CORPUS: &str = "/opt/corpus";
/// Stand-ins on one machine speak HTTP.
const SCHEMES: &[&str] = &["https", "http"];

/// For `research`.
#[derive(Clone, Debug)]
pub struct ResearchEnvironment {
    /// Its resources.
    pub aws: AwsConfig,
    /// Its limits.
    pub settings: Settings,
    /// Where its large payloads go.
    pub payload_bucket: Option<String>,
}

/// For `callback`.
#[derive(Clone, Debug)]
pub struct CallbackEnvironment {
    /// Its resources.
    pub aws: AwsConfig,
    /// What senders have to prove.
    pub authentication: Authentication,
    /// Who is told of callbacks.
    pub webhooks: Option<WebhookOptions>,
    /// Which function it is.
    pub this_function: ThisFunction,
    /// Where its large payloads go.
    pub payload_bucket: Option<String>,
}

/// For `api`.
#[derive(Clone, Debug)]
pub struct ApiEnvironment {
    /// Its resources.
    pub aws: AwsConfig,
}

/// For `agent`.
#[derive(Clone, Debug)]
pub struct AgentEnvironment {
    /// The bucket of large inputs and results.
    pub artifact_bucket: String,
    /// Where it calls back.
    pub callback_url: String,
    /// What it proves there.
    pub proofs: Authentication,
    /// Its documents.
    pub corpus: PathBuf,
    /// Where its large payloads go.
    pub payload_bucket: Option<String>,
}

/// An environment that can be read.
pub trait Environment: Sized {
    /// Reads variables from anywhere. An empty one counts as absent.
    ///
    /// # Errors
    ///
    /// Every variable that is missing or malformed.
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError>;

    /// Reads the process's environment.
    ///
    /// # Errors
    ///
    /// Every variable that is missing or malformed.
    fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }
}

impl Environment for ResearchEnvironment {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut variables = Variables::new(variable);
        let environment = Self {
            aws: AwsConfig {
                workflow_table: variables.table(),
                artifact_bucket: variables.bucket(),
                agents: variables.agents(),
                approval_sns_topic_arn: variables.topic(),
                event_bus_name: variables.bus(),
                ..nothing()
            },
            settings: Settings {
                callback_url: variables.required_url("CALLBACK_API_URL", SCHEMES),
                approval_timeout: variables.approval_timeout(),
                heartbeat_timeout: variables.heartbeat_timeout(),
            },
            payload_bucket: variables.payload_bucket(),
        };
        variables.finish()?;
        Ok(environment)
    }
}

impl Environment for CallbackEnvironment {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut variables = Variables::new(variable);
        let environment = Self {
            aws: AwsConfig {
                workflow_table: variables.table(),
                artifact_bucket: variables.bucket(),
                research_function: variables.checked("RESEARCH_FUNCTION", FUNCTION, is_function),
                callback_dlq_url: variables.url("CALLBACK_DLQ_URL", SCHEMES),
                ..nothing()
            },
            authentication: variables.authentication(),
            webhooks: variables.callback_webhooks(SCHEMES),
            this_function: ThisFunction {
                name: variables.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
                version: variables
                    .optional("AWS_LAMBDA_FUNCTION_VERSION")
                    .unwrap_or_else(|| "$LATEST".to_owned()),
            },
            payload_bucket: variables.payload_bucket(),
        };
        variables.finish()?;
        Ok(environment)
    }
}

impl Environment for ApiEnvironment {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut variables = Variables::new(variable);
        let aws = AwsConfig {
            workflow_table: variables.table(),
            artifact_bucket: variables.bucket(),
            research_function: Some(variables.required("RESEARCH_FUNCTION", FUNCTION, is_function)),
            event_bus_name: variables.bus(),
            callback_dlq_url: variables.url("CALLBACK_DLQ_URL", SCHEMES),
            ..nothing()
        };
        variables.finish()?;
        Ok(Self { aws })
    }
}

impl Environment for AgentEnvironment {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut variables = Variables::new(variable);
        let environment = Self {
            artifact_bucket: variables.bucket(),
            callback_url: variables.required_url("CALLBACK_API_URL", SCHEMES),
            proofs: variables.authentication(),
            corpus: variables.optional("CORPUS_DIR").unwrap_or_else(|| DEFAULT_CORPUS.to_owned()).into(),
            payload_bucket: variables.payload_bucket(),
        };
        variables.finish()?;
        Ok(environment)
    }
}

/// A function that dispatches nothing has no agents, and so on.
fn nothing() -> AwsConfig {
    let nobody = String::new;
    AwsConfig {
        artifact_bucket: nobody(),
        workflow_table: nobody(),
        agents: AgentArns { researcher: nobody(), analyst: nobody(), writer: nobody() },
        research_function: None,
        approval_sns_topic_arn: None,
        event_bus_name: None,
        callback_dlq_url: None,
    }
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn table(&mut self) -> String {
        const TABLE: &str = "the name or ARN of a DynamoDB table";
        self.required("WORKFLOW_TABLE", TABLE, |text| {
            is_arn(text, "dynamodb", "table/") || is_name(text, 3..=255, "_.-")
        })
    }

    fn bucket(&mut self) -> String {
        self.required("ARTIFACT_BUCKET", BUCKET, is_bucket)
    }

    fn payload_bucket(&mut self) -> Option<String> {
        self.checked("PAYLOAD_BUCKET", BUCKET, is_bucket)
    }

    fn agents(&mut self) -> AgentArns {
        const AGENT: &str = "the ARN of an AgentCore runtime or of a Lambda function";
        let is_agent =
            |text: &str| is_arn(text, "bedrock-agentcore", "runtime/") || is_arn(text, "lambda", "function:");
        AgentArns {
            researcher: self.required("RESEARCHER_AGENT_ARN", AGENT, is_agent),
            analyst: self.required("ANALYST_AGENT_ARN", AGENT, is_agent),
            writer: self.required("WRITER_AGENT_ARN", AGENT, is_agent),
        }
    }

    fn topic(&mut self) -> Option<String> {
        self.checked("APPROVAL_SNS_TOPIC_ARN", "the ARN of an SNS topic", |text| is_arn(text, "sns", ""))
    }

    fn bus(&mut self) -> Option<String> {
        const BUS: &str = "the name or ARN of an event bus";
        self.checked("EVENT_BUS_NAME", BUS, |text| {
            is_arn(text, "events", "event-bus/") || is_name(text, 1..=256, "/_.-")
        })
    }
}

const BUCKET: &str = "the name of an S3 bucket";

fn is_bucket(text: &str) -> bool {
    is_name(text, 3..=63, ".-") && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

const FUNCTION: &str = "the name or ARN of a Lambda function with a qualifier, such as `name:live`";

/// Durable functions are invoked with a qualifier only.
fn is_function(text: &str) -> bool {
    let is_plain = |name: &str| is_name(name, 1..=140, "_-$");
    match text.rsplit_once(':') {
        Some((name, qualifier)) if name.contains(':') => {
            is_arn(text, "lambda", "function:") && is_plain(qualifier) && name.split(':').count() == 7
        }
        Some((name, qualifier)) => is_plain(name) && is_plain(qualifier),
        None => false,
    }
}

/// `arn:partition:service:region:account:resource`
fn is_arn(text: &str, service: &str, resource: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, its_service, _, _, its_resource] => {
            !partition.is_empty()
                && *its_service == service
                && its_resource.strip_prefix(resource).is_some_and(|name| !name.is_empty())
                && !text.contains(char::is_whitespace)
        }
        _ => false,
    }
}

fn is_name(text: &str, length: std::ops::RangeInclusive<usize>, punctuation: &str) -> bool {
    length.contains(&text.len())
        && text.chars().all(|it| it.is_ascii_alphanumeric() || punctuation.contains(it))
}
