//! The client commands as they talk to AWS: against a server that checks each signature and passes the request on to
//! `durable dev`.

use std::{
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse as _, Response},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::{durable, server::Server, stdout, text, until};

const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "a/session+token==";
const REGION: &str = "eu-central-2";

/// What was asked for, in order: method, path and query as they came.
type Seen = Arc<Mutex<Vec<String>>>;

struct Checker {
    url: String,
    seen: Seen,
}

impl Checker {
    /// Passes to the server at `target` what is signed well.
    fn start(target: &str) -> Self {
        let seen = Seen::default();
        let state = (target.to_owned(), Arc::clone(&seen));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, axum::Router::new().fallback(pass_on).with_state(state)).await
            })
        });
        Self { url, seen }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        configured(arguments).env("AWS_ENDPOINT_URL_LAMBDA", &self.url).output().expect("the client runs")
    }

    #[track_caller]
    fn prints(&self, arguments: &[&str]) -> String {
        stdout(&self.run(arguments))
    }
}

/// A command in an environment that is configured for AWS.
fn configured(arguments: &[&str]) -> Command {
    let mut command = durable(arguments);
    command
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .env("AWS_REGION", REGION);
    command
}

async fn pass_on(State((target, seen)): State<(String, Seen)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path_and_query().unwrap().as_str();
    seen.lock().unwrap().push(format!("{} {path}", parts.method));
    if let Err(problem) = check(&parts, &body) {
        let exception = [("x-amzn-errortype", "InvalidSignatureException")];
        let message = serde_json::json!({"message": problem}).to_string();
        return (StatusCode::FORBIDDEN, exception, message).into_response();
    }
    let mut outgoing =
        reqwest::Client::new().request(parts.method.clone(), format!("{target}{path}")).body(body);
    for (name, value) in &parts.headers {
        if name != "host" && name != "authorization" && name != "content-length" {
            outgoing = outgoing.header(name, value);
        }
    }
    let answer = outgoing.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// Signature Version 4 as the service computes it, from the documentation of AWS.
fn check(parts: &Parts, body: &[u8]) -> Result<(), String> {
    let header = |name: &str| text_of(&parts.headers, name).ok_or_else(|| format!("no header {name}"));
    let authorization = header("authorization")?;
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
    let field = |name: &str| {
        let mut fields = fields.split(", ");
        fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).ok_or(format!("no {name}"))
    };
    let moment = header("x-amz-date")?;
    let day = moment.get(..8).ok_or("no day")?;
    let scope = format!("{day}/{REGION}/lambda/aws4_request");
    if field("Credential")? != format!("{KEY_ID}/{scope}") {
        return Err(format!("signed for {}", field("Credential")?));
    }
    if header("x-amz-security-token")? != TOKEN {
        return Err("another session token".to_owned());
    }
    let signed = field("SignedHeaders")?;
    let is_signed = |name: &str| signed.split(';').any(|signed| signed == name);
    let mut must =
        parts.headers.keys().map(axum::http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    if !is_signed("host") || !must.all(is_signed) {
        return Err(format!("only {signed} is signed"));
    }
    let mut query: Vec<&str> = parts.uri.query().unwrap_or_default().split('&').collect();
    query.sort_unstable();
    let mut canonical =
        format!("{}\n{}\n{}\n", parts.method, encoded_again(parts.uri.path()), query.join("&"));
    for name in signed.split(';') {
        canonical += &format!("{name}:{}\n", header(name)?.trim());
    }
    canonical += &format!("\n{signed}\n{}", hex(&Sha256::digest(body)));
    let canonical_hash = hex(&Sha256::digest(&canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{canonical_hash}");
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part);
    }
    let expected = hex(&mac(&key, &to_sign));
    let given = field("Signature")?;
    if given == expected { Ok(()) } else { Err(format!("the signature {given} is wrong for {canonical}")) }
}

/// The path's own percent signs are encoded once more, as for every service but S3.
fn encoded_again(path: &str) -> String {
    const RESERVED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    utf8_percent_encode(path, RESERVED).to_string()
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_command_signs_its_requests() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let aws = Checker::start(&server.url);
    let script = r#"{"script":[{"step":1},{"print":"working"},{"callback":{"TimeoutSeconds":60}}]}"#;

    let started = aws.prints(&["start", "f", script, "--name", "order-1", "--json"]);
    let started: serde_json::Value = serde_json::from_str(&started).unwrap();
    let arn = started["DurableExecutionArn"].as_str().unwrap();
    let callback = until("the callback is created", || {
        let history: serde_json::Value =
            serde_json::from_str(&aws.prints(&["history", arn, "--json"])).unwrap();
        let events = history["Events"].as_array()?;
        let created = events.iter().find(|event| event["EventType"] == "CallbackStarted")?;
        created["CallbackStartedDetails"]["CallbackId"].as_str().map(str::to_owned)
    });
    aws.prints(&["callback", "heartbeat", &callback]);
    aws.prints(&["callback", "succeed", &callback, r#"{"by": "hand"}"#]);
    until("the execution ends", || aws.prints(&["show", "f/order-1"]).contains("SUCCEEDED").then_some(()));
    assert!(aws.prints(&["logs", arn]).contains("working"));
    let followed = aws.prints(&["start", "f", r#"{"script":[{"return":"done"}]}"#, "--follow"]);
    assert!(followed.ends_with("\"done\"\n"), "{followed}");

    aws.prints(&["start", "f", script, "--name", "order-2"]);
    aws.prints(&["stop", "f/order-2", "--error-message", "by hand & with 100 %"]);
    let listed = aws.prints(&["list", "f", "--status", "stopped", "--since", "1h"]);
    assert!(listed.contains("f/order-2"), "{listed}");
    let refused = text(&aws.run(&["callback", "fail", &callback]).stderr);
    assert!(
        refused.contains("CallbackTimeoutException"),
        "the service's own refusals come through: {refused}"
    );

    // A label is encoded once on the way, and once more only in what is signed.
    let seen = aws.seen.lock().unwrap();
    let shown = seen.iter().find(|line| line.contains("/durable-executions/arn")).unwrap();
    assert!(shown.contains("/durable-executions/arn%3Aaws%3Alambda%3A"), "{shown}");
    assert!(shown.contains("%24LATEST%2Fdurable-execution%2Forder-1%2F"), "{shown}");
    assert!(seen.iter().any(|line| line.contains("StartedAfter=") && line.contains("%3A")), "{seen:?}");
}

#[test]
fn a_wrong_secret_is_the_services_to_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let aws = Checker::start(&server.url);
    let output = configured(&["list", "f"])
        .env("AWS_ENDPOINT_URL_LAMBDA", &aws.url)
        .env("AWS_SECRET_ACCESS_KEY", "another one")
        .output()
        .unwrap();
    assert!(
        text(&output.stderr).starts_with("error: InvalidSignatureException: "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn what_is_not_configured_is_said_before_anything_is_asked() {
    let says = |command: &mut Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let no_region = says(configured(&["list", "f"]).env_remove("AWS_REGION"));
    assert!(no_region.contains("no AWS region") && no_region.contains("--region"), "{no_region}");
    let no_credentials = says(durable(&["list", "f", "--region", REGION]).env_remove("AWS_ACCESS_KEY_ID"));
    for words in ["no AWS credentials", "aws configure", "--endpoint http://127.0.0.1:9014"] {
        assert!(no_credentials.contains(words), "{no_credentials}");
    }
    let no_profile =
        says(durable(&["list", "f", "--region", REGION, "--profile", "absent"]).env_remove("AWS_PROFILE"));
    assert!(no_profile.contains("no AWS credentials") && no_profile.contains("absent"), "{no_profile}");
    let nobody = says(configured(&["list", "f"]).env("AWS_ENDPOINT_URL", "https://127.0.0.1:1"));
    assert!(nobody.contains("https://127.0.0.1:1/ can't be reached"), "{nobody}");
    let no_server = says(&mut configured(&["list", "f", "--endpoint", "ftp://somewhere"]));
    assert!(no_server.contains("neither an http: nor an https: URL"), "{no_server}");
}

#[test]
fn profiles_give_region_credentials_and_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let aws = Checker::start(&server.url);
    let config = folder.path().join("config");
    let profile = format!(
        "[profile work]\nregion = {REGION}\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n\
         aws_session_token = {TOKEN}\nservices = local\n[services local]\nlambda =\n  endpoint_url = {}\n",
        aws.url
    );
    std::fs::write(&config, profile).unwrap();
    let output =
        durable(&["list", "f", "--profile", "work"]).env("AWS_CONFIG_FILE", &config).output().unwrap();
    assert_eq!(stdout(&output), "no executions\n");
    assert_eq!(aws.seen.lock().unwrap().len(), 1);
}
