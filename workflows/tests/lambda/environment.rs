//! The programs at start-up: everything that is wrong with their environment, at once.

use std::process::Command;

use workflows::lambda::environment::{
    AgentEnvironment, ApiEnvironment, CallbackEnvironment, Environment, ResearchEnvironment,
};

const PROGRAMS: [(&str, &str, &[&str]); 4] = [
    (
        "research",
        env!("CARGO_BIN_EXE_research"),
        &[
            "ARTIFACT_BUCKET",
            "WORKFLOW_TABLE",
            "RESEARCHER_AGENT_ARN",
            "ANALYST_AGENT_ARN",
            "WRITER_AGENT_ARN",
            "CALLBACK_API_URL",
        ],
    ),
    ("callback", env!("CARGO_BIN_EXE_callback"), &["ARTIFACT_BUCKET", "WORKFLOW_TABLE"]),
    ("api", env!("CARGO_BIN_EXE_api"), &["ARTIFACT_BUCKET", "WORKFLOW_TABLE", "RESEARCH_FUNCTION"]),
    ("agent", env!("CARGO_BIN_EXE_agent"), &["ARTIFACT_BUCKET", "CALLBACK_API_URL"]),
];

/// What each program makes of a malformed value.
const MALFORMED: [(&str, &str, &[&str]); 12] = [
    ("ARTIFACT_BUCKET", "Not_A_Bucket", &["research", "callback", "api", "agent"]),
    ("PAYLOAD_BUCKET", "Not_A_Bucket", &["research", "callback", "agent"]),
    ("WORKFLOW_TABLE", "a table", &["research", "callback", "api"]),
    ("RESEARCHER_AGENT_ARN", "arn:aws:s3:::bucket", &["research"]),
    ("CALLBACK_API_URL", "ftp://secret@host/", &["research", "agent"]),
    ("APPROVAL_TIMEOUT_HOURS", "soon", &["research"]),
    ("APPROVAL_SNS_TOPIC_ARN", "topic", &["research"]),
    ("EVENT_BUS_NAME", "a bus", &["research", "api"]),
    ("CALLBACK_DLQ_URL", "queue", &["callback", "api"]),
    ("CALLBACK_API_KEY", "short", &["callback", "agent"]),
    ("CALLBACK_HMAC_SECRET", "short", &["callback", "agent"]),
    ("CALLBACK_WEBHOOK_URLS", "file:///etc/passwd", &["callback"]),
];

fn run(path: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new(path).env_clear().envs(variables.iter().copied()).output().unwrap();
    assert!(!output.status.success(), "{path}");
    assert_eq!(output.status.code(), Some(1), "{path} ends by itself, and does not panic");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn each_program_names_all_that_is_missing() {
    for (program, path, required) in PROGRAMS {
        let message = run(path, &[]);
        for name in required {
            assert!(message.contains(&format!("{name}: is missing; expected")), "{program}: {message}");
        }
        assert_eq!(message.matches("is missing").count(), required.len(), "{program}: {message}");
    }
}

#[test]
fn each_program_names_all_that_is_malformed_and_what_is_missing_besides() {
    let variables: Vec<_> = MALFORMED.iter().map(|(name, value, _)| (*name, *value)).collect();
    for (program, path, required) in PROGRAMS {
        let message = run(path, &variables);
        for (name, value, programs) in MALFORMED {
            assert_eq!(
                message.contains(&format!("{name}: ")),
                programs.contains(&program),
                "{program}: {message}"
            );
            let is_secret = value == "short" || value.contains("secret");
            assert!(!(is_secret && message.contains(&format!("`{value}`"))), "{program}: {message}");
        }
        for name in required {
            assert!(message.contains(&format!("{name}: ")), "{program}: {message}");
        }
    }
}

fn good(name: &str) -> Option<String> {
    let value = match name {
        "ARTIFACT_BUCKET" => "reports-of.example",
        "WORKFLOW_TABLE" => "arn:aws:dynamodb:eu-west-1:123456789012:table/workflows",
        "RESEARCHER_AGENT_ARN" => "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/researcher-1",
        "ANALYST_AGENT_ARN" => "arn:aws:lambda:eu-west-1:123456789012:function:agent:live",
        "WRITER_AGENT_ARN" => "arn:aws-cn:lambda:cn-north-1:123456789012:function:agent",
        "CALLBACK_API_URL" => "https://api.example/callbacks",
        "RESEARCH_FUNCTION" => "research:$LATEST",
        "APPROVAL_TIMEOUT_HOURS" => "48",
        "APPROVAL_SNS_TOPIC_ARN" => "arn:aws:sns:eu-west-1:123456789012:approvals",
        "EVENT_BUS_NAME" => "default",
        "CALLBACK_DLQ_URL" => "https://sqs.eu-west-1.amazonaws.com/123456789012/letters",
        "CALLBACK_API_KEY" => "0123456789abcdef",
        "CALLBACK_HMAC_SECRET" => "0123456789abcdef",
        "CALLBACK_WEBHOOK_URLS" => "https://a.example/hook, https://b.example/hook",
        "CALLBACK_WEBHOOK_SECRET" => "0123456789abcdef",
        _ => return None,
    };
    Some(value.to_owned())
}

#[test]
fn a_good_environment_is_read() {
    let research = ResearchEnvironment::read(good).unwrap();
    assert_eq!(research.settings.approval_timeout.as_secs(), 48 * 3600);
    assert_eq!(research.aws.agents.analyst, good("ANALYST_AGENT_ARN").unwrap());
    let callback = CallbackEnvironment::read(good).unwrap();
    assert_eq!(callback.webhooks.unwrap().urls.len(), 2);
    assert!(callback.authentication.is_required());
    assert_eq!(
        ApiEnvironment::read(good).unwrap().aws.research_function.as_deref(),
        Some("research:$LATEST")
    );
    assert_eq!(AgentEnvironment::read(good).unwrap().corpus, std::path::Path::new("/opt/corpus"));
}

#[test]
fn a_durable_function_is_named_with_its_qualifier() {
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:research";
    for (function, is_valid) in [
        ("research:live", true),
        ("research:$LATEST", true),
        (&format!("{arn}:7"), true),
        ("research", false),
        (arn, false),
        ("research:", false),
        ("a function:live", false),
    ] {
        let variable =
            |name: &str| if name == "RESEARCH_FUNCTION" { Some(function.to_owned()) } else { good(name) };
        assert_eq!(ApiEnvironment::read(variable).is_ok(), is_valid, "{function}");
    }
}
