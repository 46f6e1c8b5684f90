//! Agents on Bedrock AgentCore, or behind Lambda functions, spoken to in A2A messages.

use aws_sdk_bedrockagentcore::error::ProvideErrorMetadata;
use aws_sdk_lambda::{primitives::Blob, types::InvocationType};

use super::{
    Clients,
    error::{described, is_transient},
};
use crate::{
    a2a,
    callback::sha256,
    ports::{AgentTask, Agents, BoxFuture, DispatchFailure, WorkflowId},
    research::Phase,
};

/// What Lambda sets for each invocation that is traced.
const TRACE_ID: &str = "_X_AMZN_TRACE_ID";
/// AgentCore wants at least so many characters.
const SHORTEST_SESSION: usize = 33;

/// Which agents do the work: ARNs of AgentCore runtimes or of Lambda functions, with a qualifier if need be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentArns {
    /// The researcher.
    pub researcher: String,
    /// The analyst.
    pub analyst: String,
    /// The writer.
    pub writer: String,
}

/// The three agents.
///
/// An AgentCore runtime answers the A2A message, and its answer counts. A Lambda function gets the same message as an
/// event, which Lambda queues durably: that it took the event is all that is known until the agent calls back.
#[derive(Clone, Debug)]
pub struct AwsAgents {
    clients: Clients,
    arns: AgentArns,
}

impl AwsAgents {
    /// Agents at `arns`.
    #[must_use]
    pub fn new(clients: &Clients, arns: AgentArns) -> Self {
        Self { clients: clients.clone(), arns }
    }

    async fn invoke_runtime(
        &self,
        arn: &str,
        session: String,
        task: &a2a::Task,
        message: Vec<u8>,
    ) -> Result<(), DispatchFailure> {
        let request = self
            .clients
            .agentcore()
            .invoke_agent_runtime()
            .agent_runtime_arn(arn)
            .runtime_session_id(session)
            .content_type("application/json")
            .accept("application/json")
            .set_trace_id(trace_id())
            .payload(Blob::new(message));
        let answer = request.send().await.map_err(|error| failure(arn, error))?;
        let status = answer.status_code.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        let body = answer.response.collect().await.map_err(|error| {
            tracing::warn!(agent = arn, %error, "an agent's answer was cut off");
            DispatchFailure::Transient("the agent's answer was cut off".to_owned())
        })?;
        match a2a::decode_answer(arn, task, status, &body.to_vec()) {
            Ok(_) => Ok(()),
            Err(error) if error.is_retryable() => Err(DispatchFailure::Transient(error.to_string())),
            Err(error) => Err(DispatchFailure::Permanent(error.to_string())),
        }
    }

    /// The SDK itself passes the trace on with every call, so that Lambda's traces are whole.
    async fn invoke_function(&self, arn: &str, message: Vec<u8>) -> Result<(), DispatchFailure> {
        let request = self
            .clients
            .lambda()
            .invoke()
            .function_name(arn)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(message));
        request.send().await.map_err(|error| failure(arn, error))?;
        Ok(())
    }
}

impl Agents for AwsAgents {
    fn dispatch(&self, task: AgentTask) -> BoxFuture<'_, Result<(), DispatchFailure>> {
        Box::pin(async move {
            let arn = match task.phase {
                Phase::Research => &self.arns.researcher,
                Phase::Analysis => &self.arns.analyst,
                Phase::Writing => &self.arns.writer,
            };
            let session = session_id(&task.workflow_id, task.phase);
            let task = a2a::Task::try_from(task)?;
            let message = serde_json::to_vec(&a2a::encode_send(&task))
                .map_err(|error| DispatchFailure::Permanent(format!("the task can't be sent: {error}")))?;
            match service_of(arn) {
                Some("lambda") => self.invoke_function(arn, message).await,
                Some("bedrock-agentcore") => self.invoke_runtime(arn, session, &task, message).await,
                _ => Err(DispatchFailure::Permanent(format!(
                    "the {} is neither a Lambda function nor an AgentCore runtime; check its ARN",
                    task.task
                ))),
            }
        })
    }
}

/// The service in an ARN: `arn:partition:service:...`.
fn service_of(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    (parts.next() == Some("arn")).then(|| parts.nth(1)).flatten()
}

/// One session for each phase of a workflow: an attempt after a lost answer meets the agent that knows the task.
fn session_id(id: &WorkflowId, phase: Phase) -> String {
    let session = format!("{}-{id}", phase.agent());
    if session.len() >= SHORTEST_SESSION {
        session
    } else {
        format!("{session}-{}", sha256(session.as_bytes()))
    }
}

fn trace_id() -> Option<String> {
    std::env::var(TRACE_ID).ok().filter(|trace| !trace.is_empty())
}

/// The SDK's words name accounts and roles; they go to the log, and the code into the message.
fn failure<E>(arn: &str, error: aws_sdk_lambda::error::SdkError<E>) -> DispatchFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let is_transient = is_transient(&error);
    let code = error.code().map_or_else(String::new, |code| format!(": {code}"));
    tracing::warn!(agent = arn, error = described(&error), "an agent could not be invoked");
    if is_transient {
        DispatchFailure::Transient(format!("the agent is not available{code}"))
    } else {
        DispatchFailure::Permanent(format!("the agent can't be invoked{code}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_how_the_agent_is_invoked() {
        for (arn, service) in [
            ("arn:aws:lambda:eu-west-1:123456789012:function:agent:live", Some("lambda")),
            ("arn:aws-us-gov:bedrock-agentcore:us-gov-west-1:1:runtime/x", Some("bedrock-agentcore")),
            ("agent", None),
            ("arn:aws", None),
        ] {
            assert_eq!(service_of(arn), service, "{arn}");
        }
    }

    #[test]
    fn a_session_is_long_enough_and_differs_by_phase() {
        for id in ["w", "8a1f6f0e-3f0f-4d3a-9a5f-0c7f4f8f1a2b"] {
            let id = WorkflowId::named(id);
            let sessions = Phase::ALL.map(|phase| session_id(&id, phase));
            assert!(sessions.iter().all(|it| (SHORTEST_SESSION..=256).contains(&it.len())), "{sessions:?}");
            assert!(sessions[0] != sessions[1] && sessions[1] != sessions[2]);
            assert_eq!(session_id(&id, Phase::Research), sessions[0]);
        }
    }
}
