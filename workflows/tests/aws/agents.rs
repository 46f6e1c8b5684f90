//! How agents are invoked, and what their answers mean.

use std::process::Command;

use serde_json::{Map, Value, json};
use workflows::{
    a2a,
    aws::{AgentArns, AwsAgents},
    ports::{AgentTask, Agents, DispatchFailure, WorkflowId},
    research::{Parameters, Phase},
};

use crate::{
    moto::clients,
    stub::{Asked, Says, Stub},
};

const RUNTIME: &str = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/researcher-1";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:analyst:live";
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn agents(stub: &Stub) -> AwsAgents {
    let arns = AgentArns {
        researcher: RUNTIME.to_owned(),
        analyst: FUNCTION.to_owned(),
        writer: "the writer".to_owned(),
    };
    AwsAgents::new(&clients(&stub.url), arns)
}

fn task(phase: Phase) -> AgentTask {
    AgentTask {
        phase,
        workflow_id: WorkflowId::named("8a1f6f0e-3f0f-4d3a-9a5f-0c7f4f8f1a2b"),
        topic: "Tokio".to_owned(),
        parameters: Parameters::default(),
        callback_url: "https://callbacks.example/callbacks".to_owned(),
        callback_token: "the-secret-token".to_owned(),
        inputs: Map::new(),
    }
}

/// Answers as an agent of ours does.
fn accept(request: &Asked) -> Says {
    let (id, task) = a2a::decode_send(&request.body).unwrap();
    Says::body(200, serde_json::to_string(&a2a::Response::submitted(id, &task.id())).unwrap())
}

#[tokio::test]
async fn an_agentcore_runtime_gets_the_message_in_a_session_of_its_own() {
    let stub = Stub::start(accept).await;
    let agents = agents(&stub);
    for _ in 0..2 {
        agents.dispatch(task(Phase::Research)).await.unwrap();
    }
    let asked = stub.asked();
    assert_eq!(asked.len(), 2);
    let path = asked[0].uri.path();
    assert!(path.starts_with("/runtimes/arn%3Aaws%3Abedrock-agentcore"), "{path}");
    assert!(path.ends_with("/invocations"), "{path}");
    assert_eq!(asked[0].header("content-type"), "application/json");
    assert!(asked[0].header("authorization").contains("/bedrock-agentcore/aws4_request"), "it is signed");
    let session = "x-amzn-bedrock-agentcore-runtime-session-id";
    assert!(asked[0].header(session).contains("8a1f6f0e"));
    assert_eq!(asked[0].header(session), asked[1].header(session), "another attempt meets the same session");
    let message = asked[0].json();
    assert_eq!((&message["jsonrpc"], &message["method"]), (&json!("2.0"), &json!("tasks/send")));
    let (_, sent) = a2a::decode_send(&asked[0].body).unwrap();
    assert_eq!(sent, a2a::Task::try_from(task(Phase::Research)).unwrap());
}

#[tokio::test]
async fn a_function_gets_the_same_message_as_an_event() {
    let stub = Stub::start(|_| Says::body(202, "")).await;
    agents(&stub).dispatch(task(Phase::Analysis)).await.unwrap();
    let asked = stub.asked().remove(0);
    assert_eq!(asked.method, "POST");
    assert!(asked.uri.path().ends_with("/invocations"), "{}", asked.uri);
    assert!(asked.uri.path().contains("function%3Aanalyst%3Alive"), "{}", asked.uri);
    assert_eq!(asked.header("x-amz-invocation-type"), "Event");
    let (_, sent) = a2a::decode_send(&asked.body).unwrap();
    assert_eq!(sent.callback_token, "the-secret-token");
}

#[tokio::test]
async fn what_is_neither_is_said_so() {
    let stub = Stub::start(accept).await;
    let Err(DispatchFailure::Permanent(message)) = agents(&stub).dispatch(task(Phase::Writing)).await else {
        panic!("a name is no ARN")
    };
    assert!(message.contains("check its ARN"), "{message}");
    assert!(stub.asked().is_empty());
}

#[tokio::test]
async fn answers_other_than_an_acceptance_are_failures() {
    let refused =
        json!({ "jsonrpc": "2.0", "id": "x", "error": { "code": -32602, "message": "the-secret-token" } });
    for (phase, says, is_transient) in [
        (Phase::Research, Says::body(200, refused), false),
        (Phase::Research, Says::body(200, "hello"), false),
        (Phase::Research, Says::exception(429, "ThrottlingException"), true),
        (Phase::Research, Says::exception(500, "InternalServerException"), true),
        (Phase::Research, Says::exception(424, "RuntimeClientError"), false),
        (Phase::Research, Says::exception(403, "AccessDeniedException"), false),
        (Phase::Research, Says::exception(404, "ResourceNotFoundException"), false),
        (Phase::Analysis, Says::exception(429, "TooManyRequestsException"), true),
        (Phase::Analysis, Says::exception(500, "ServiceException"), true),
        (Phase::Analysis, Says::exception(404, "ResourceNotFoundException"), false),
        (Phase::Analysis, Says::exception(413, "RequestTooLargeException"), false),
    ] {
        let answered = says.clone();
        let stub = Stub::start(move |_| answered.clone()).await;
        let failure = agents(&stub).dispatch(task(phase)).await.unwrap_err();
        assert_eq!(matches!(failure, DispatchFailure::Transient(_)), is_transient, "{says:?}: {failure:?}");
        let message = failure.to_string();
        assert!(!message.contains("secret"), "no token and no role in `{message}`");
        if phase == Phase::Research {
            assert_eq!(stub.asked().len(), 1, "the step retries, not the client");
        }
    }
}

#[tokio::test]
async fn an_agent_that_nobody_reaches_may_be_back_later() {
    let stub = Stub::start(accept).await;
    let agents = agents(&stub);
    drop(stub);
    for phase in [Phase::Research, Phase::Analysis] {
        let failure = agents.dispatch(task(phase)).await.unwrap_err();
        assert!(matches!(failure, DispatchFailure::Transient(_)), "{failure:?}");
    }
}

/// The trace is in the environment, which only a process of its own can have.
#[tokio::test]
async fn the_trace_is_passed_on() {
    if std::env::var("_X_AMZN_TRACE_ID").is_err() {
        let traced = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "agents::the_trace_is_passed_on"])
            .env("_X_AMZN_TRACE_ID", TRACE)
            .env("AWS_LAMBDA_FUNCTION_NAME", "research")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&traced.stdout);
        assert!(traced.status.success() && output.contains("1 passed"), "{output}");
        return;
    }
    let stub = Stub::start(accept).await;
    let agents = agents(&stub);
    agents.dispatch(task(Phase::Research)).await.unwrap();
    agents.dispatch(task(Phase::Analysis)).await.unwrap();
    for asked in stub.asked() {
        assert_eq!(
            asked.header("x-amzn-trace-id").replace("%3B", ";").replace("%3D", "="),
            TRACE,
            "{}",
            asked.uri
        );
    }
    assert_eq!(stub.asked().len(), 2);
    let _: Value = stub.asked()[0].json();
}
