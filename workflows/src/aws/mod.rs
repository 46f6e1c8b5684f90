//! The actors on AWS: DynamoDB, S3, Bedrock AgentCore, SNS, EventBridge, SQS, Lambda.
//!
//! [`ports`] wires them from an [`AwsConfig`]; [`Clients`] are made once for each process, each by its first use.
//!
//! # The table
//!
//! One DynamoDB table holds what SQLite holds on one machine. Its keys are `pk` (partition, string) and `sk` (sort,
//! string), its time to live is the attribute `expires_at` (seconds).
//!
//! | item | `pk` | `sk` | kept |
//! | --- | --- | --- | --- |
//! | workflow record | `WORKFLOW#{id}` | `RECORD` | for good |
//! | move of its status | `WORKFLOW#{id}` | `AUDIT#{version}` | for good |
//! | domain event | `WORKFLOW#{id}` | `EVENT#{kind}` | for good |
//! | line of the callback history | `WORKFLOW#{id}` | `HISTORY#{received at}#{request}` | 380 days |
//! | the same, of a token of no known workflow | `REQUEST#{request}` | `HISTORY` | 14 days |
//! | idempotency key | `KEY#{SHA-256 of the key}` | `CLAIM` | for good |
//! | who waits for a token | `TOKEN#{SHA-256 of the token}` | `ROUTE` | 380 days |
//! | result under a token | `TOKEN#{SHA-256 of the token}` | `RESULT` | 14 days |
//! | dead letter | `LETTER#{id}` | `LETTER` | 14 days after it was redriven |
//!
//! 380 days: an approval may stay open for a year, and what is known of a workflow's callbacks outlives it by two
//! weeks. Keys and tokens are hashed because they may be longer than a key of DynamoDB, and because keys end up in
//! access logs. DynamoDB removes expired items late, so that readers disregard them by themselves.
//!
//! | global secondary index | partition | sort | projection | answers |
//! | --- | --- | --- | --- | --- |
//! | `by_kind` | `kind` (string) | `listed` (string) | keys only | all workflows (`kind` = `WORKFLOW`), open dead letters (`DEAD_LETTER`) |
//! | `by_status` | `status` (string) | `listed` (string) | keys only | workflows in one status |
//! | `by_token` | `token` (string) | none | `workflow_id`, `phase` | the workflow of a callback, by the token as log lines show it: `sha256:` and 12 digits |
//!
//! `listed` is the time in milliseconds, 15 digits, `#`, and the id, so that lists are newest first and their order is
//! total. The first two indexes hold keys only: most changes of a record touch neither, and a list reads the records
//! themselves, up to date, from the table. Handling a callback asks no index for its workflow: indexes lag, and an
//! agent may answer within milliseconds of the registration of its token.
//!
//! A record has a `version` that each change adds one to and is conditional on; who comes second reads again, a
//! bounded number of times. A change that moves the status writes the record and the audit item in one transaction.
//! Items stay far below DynamoDB's 400 KB: payloads above [`INLINE_LIMIT`](crate::ports::INLINE_LIMIT) are artifacts.
//!
//! # Dead letters
//!
//! Of a callback that was stored the item in the table is the truth:
//! [`dead_letters`](crate::ports::Callbacks::dead_letters) lists those that are still in `by_kind`. The SQS message,
//! without the token, makes them visible to alarms and consoles; it is sent after the item is written, and removed when
//! the letter is redriven.
//!
//! Of a callback that the table, or the bucket, did not take there is only a message, which holds it whole, up to SQS's
//! limit of 1 MiB. A larger one is left only in the input of the execution that handled its request, and in the log as
//! `callback_not_kept`: its sender has to send it again.

mod absent;
mod agents;
mod artifacts;
mod callbacks;
mod clients;
mod dead_letters;
mod error;
mod events;
mod executions;
mod item;
mod metrics;
mod notify;
mod records;
mod table;

use std::sync::Arc;

pub use agents::{AgentArns, AwsAgents};
pub use artifacts::S3Artifacts;
pub use callbacks::DynamoCallbacks;
pub use clients::Clients;
pub use dead_letters::SqsDeadLetters;
pub(crate) use error::store_error;
pub use events::EventBridgeEvents;
pub use executions::LambdaExecutions;
pub use metrics::{EmbeddedMetrics, NAMESPACE};
pub use notify::SnsNotify;
pub use records::DynamoRecords;
pub use table::Table;

use crate::ports::{Ports, Settings};
use absent::Absent;

/// Which resources the adapters use; each field is the environment variable of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsConfig {
    /// `ARTIFACT_BUCKET`: the bucket of artifacts and reports.
    pub artifact_bucket: String,
    /// `WORKFLOW_TABLE`: the table described in the module's documentation.
    pub workflow_table: String,
    /// `RESEARCHER_AGENT_ARN`, `ANALYST_AGENT_ARN`, `WRITER_AGENT_ARN`: AgentCore runtimes or Lambda functions.
    pub agents: AgentArns,
    /// `RESEARCH_FUNCTION`: name or ARN of the durable function that runs the research workflow, with its qualifier
    /// (`name:live`); `$LATEST` without one. Only who starts, stops or looks at executions needs it; the callback handler
    /// tells a repeated delivery from a late one with it.
    pub research_function: Option<String>,
    /// `APPROVAL_SNS_TOPIC_ARN`: where reviewers subscribe; without it notifications are log lines.
    pub approval_sns_topic_arn: Option<String>,
    /// `EVENT_BUS_NAME`: where domain events go; without it they are only on record in the table.
    pub event_bus_name: Option<String>,
    /// `CALLBACK_DLQ_URL`: the queue that shows dead letters; without it they are only on record in the table, and what can't
    /// be stored is not kept.
    pub callback_dlq_url: Option<String>,
}

/// All ports on AWS. Asks nothing of the network: clients are made and credentials fetched by the first call.
#[must_use]
pub fn ports(clients: &Clients, config: &AwsConfig, settings: Settings) -> Ports {
    let table = Table::new(clients, &config.workflow_table);
    Ports {
        agents: Arc::new(AwsAgents::new(clients, config.agents.clone())),
        notify: Arc::new(SnsNotify::new(clients, config.approval_sns_topic_arn.clone())),
        events: Arc::new(EventBridgeEvents::new(clients, table, config.event_bus_name.clone())),
        settings,
        ..callback_ports(clients, config)
    }
}

/// The ports of a function that only takes callbacks: it speaks to no agent, no reviewer and no event bus, and its program
/// has no clients for them.
#[must_use]
pub fn callback_ports(clients: &Clients, config: &AwsConfig) -> Ports {
    let table = Table::new(clients, &config.workflow_table);
    let queue = config.callback_dlq_url.as_ref().map(|url| SqsDeadLetters::new(clients, url));
    Ports {
        records: Arc::new(DynamoRecords::new(table.clone())),
        callbacks: Arc::new(DynamoCallbacks::new(table.clone(), queue.clone())),
        dead_letter_queue: queue.map(|queue| Arc::new(queue) as _),
        artifacts: Arc::new(S3Artifacts::new(clients, &config.artifact_bucket)),
        agents: Arc::new(Absent),
        notify: Arc::new(Absent),
        events: Arc::new(Absent),
        executions: Arc::new(LambdaExecutions::new(clients, table, config.research_function.clone())),
        // Which function tells receivers is for the one to say that has them.
        webhooks: None,
        metrics: Arc::new(EmbeddedMetrics::stdout()),
        settings: Settings::default(),
    }
}
