//! moto: its process, and the few of its calls that the driver makes itself.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, process::Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// Everything lives there.
pub const REGION: &str = "us-east-1";

/// A running moto server, which ends with this value.
#[derive(Debug)]
pub struct Moto {
    /// Where it listens.
    pub address: SocketAddr,
    client: Client,
    _process: Child,
}

impl Moto {
    /// Starts the server with an interpreter that has moto installed. What it says goes to a file.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn start(python: &Path, log: &Path) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("moto/server.py");
        let mut process = Command::new(python)
            .arg("-u")
            .arg(script)
            .env("AWS_DEFAULT_REGION", REGION)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log).with_context(|| format!("can't write {}", log.display()))?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} could not be started", python.display()))?;
        let output = process.stdout.take().context("standard output is piped")?;
        let mut lines = BufReader::new(output).lines();
        let url = lines.next_line().await?;
        let url = url.with_context(|| format!("moto ended before it was ready; see {}", log.display()))?;
        let address = url.strip_prefix("http://").and_then(|address| address.parse().ok());
        let address = address.with_context(|| format!("moto says that it listens at `{url}`"))?;
        Ok(Self { address, client: Client::builder().no_proxy().build()?, _process: process })
    }

    /// Makes a stack and gives its outputs.
    ///
    /// # Errors
    ///
    /// CloudFormation refuses it.
    pub async fn create_stack(
        &self,
        name: &str,
        body: &Value,
        parameters: &BTreeMap<&str, String>,
    ) -> Result<BTreeMap<String, String>> {
        let mut form = vec![
            ("Action".to_owned(), "CreateStack".to_owned()),
            ("Version".to_owned(), "2010-05-15".to_owned()),
            ("StackName".to_owned(), name.to_owned()),
            ("TemplateBody".to_owned(), body.to_string()),
        ];
        for (number, (key, value)) in (1..).zip(parameters) {
            form.push((format!("Parameters.member.{number}.ParameterKey"), (*key).to_owned()));
            form.push((format!("Parameters.member.{number}.ParameterValue"), value.clone()));
        }
        self.query("cloudformation", &form).await?;
        let form = [("Action", "DescribeStacks"), ("Version", "2010-05-15"), ("StackName", name)];
        let form: Vec<_> = form.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let answer = self.query("cloudformation", &form).await?;
        outputs(&answer)
    }

    /// Makes a queue that gets what is published to a topic and emitted on a bus, and gives its URL.
    ///
    /// # Errors
    ///
    /// moto refuses it.
    pub async fn observe(&self, name: &str, topic_arn: &str, bus: &str) -> Result<String> {
        let created = self.json("sqs", "AmazonSQS.CreateQueue", json!({ "QueueName": name })).await?;
        let url = created.get("QueueUrl").and_then(Value::as_str).context("a queue has a URL")?.to_owned();
        let account = topic_arn.split(':').nth(4).context("an ARN has an account")?;
        let arn = format!("arn:aws:sqs:{REGION}:{account}:{name}");
        let form = [
            ("Action", "Subscribe"),
            ("Version", "2010-03-31"),
            ("TopicArn", topic_arn),
            ("Protocol", "sqs"),
            ("Endpoint", &arn),
        ];
        let form: Vec<_> = form.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        self.query("sns", &form).await?;
        let pattern = json!({ "account": [account] }).to_string();
        let rule = json!({ "Name": name, "EventBusName": bus, "EventPattern": pattern });
        self.json("events", "AWSEvents.PutRule", rule).await?;
        let targets =
            json!({ "Rule": name, "EventBusName": bus, "Targets": [{ "Id": "queue", "Arn": arn }] });
        self.json("events", "AWSEvents.PutTargets", targets).await?;
        Ok(url)
    }

    /// Takes all messages that are in a queue.
    ///
    /// # Errors
    ///
    /// moto refuses it.
    pub async fn take_messages(&self, queue_url: &str) -> Result<Vec<Value>> {
        let mut taken = Vec::new();
        loop {
            let request =
                json!({ "QueueUrl": queue_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 3600 });
            let answer = self.json("sqs", "AmazonSQS.ReceiveMessage", request).await?;
            let messages = answer.get("Messages").and_then(Value::as_array).cloned().unwrap_or_default();
            if messages.is_empty() {
                return Ok(taken);
            }
            for message in messages {
                let body = message.get("Body").and_then(Value::as_str).context("a message has a body")?;
                taken.push(serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())));
            }
        }
    }

    /// A call of a service that speaks JSON.
    ///
    /// # Errors
    ///
    /// moto refuses it.
    pub async fn json(&self, service: &str, target: &str, body: Value) -> Result<Value> {
        let version = if service == "sqs" || service == "dynamodb" { "1.0" } else { "1.1" };
        let request = self
            .request(service)
            .header("x-amz-target", target)
            .header("content-type", format!("application/x-amz-json-{version}"))
            .body(body.to_string());
        let answer = send(request, target).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer).with_context(|| format!("the answer to {target} is no JSON"))
    }

    async fn query(&self, service: &str, form: &[(String, String)]) -> Result<String> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let body: Vec<_> =
            form.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        let request = self
            .request(service)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        let action = form.first().map_or("", |(_, action)| action);
        let answer = send(request, action).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Unsigned: moto only looks for the service in the scope of the credentials.
    fn request(&self, service: &str) -> reqwest::RequestBuilder {
        let scope = format!("AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/{service}/aws4_request");
        let scope = format!("{scope}, SignedHeaders=host, Signature=none");
        self.client.post(format!("http://{}/", self.address)).header("authorization", scope)
    }
}

async fn send(request: reqwest::RequestBuilder, what: &str) -> Result<Vec<u8>> {
    let answer = request.send().await.with_context(|| format!("moto does not answer to {what}"))?;
    let status = answer.status();
    let body = answer.bytes().await?;
    if !status.is_success() {
        bail!("moto answered {status} to {what}: {}", String::from_utf8_lossy(&body));
    }
    Ok(body.into())
}

/// The outputs in an answer of DescribeStacks.
fn outputs(xml: &str) -> Result<BTreeMap<String, String>> {
    let between = |text: &str, tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        Some(unescaped(rest.split_once(&format!("</{tag}>"))?.0))
    };
    let outputs: BTreeMap<_, _> = xml
        .split("</member>")
        // An empty value is `<OutputValue/>`.
        .filter_map(|part| {
            Some((between(part, "OutputKey")?, between(part, "OutputValue").unwrap_or_default()))
        })
        .collect();
    ensure!(!outputs.is_empty(), "the stack has no outputs: {xml}");
    Ok(outputs)
}

fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .into_iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_empty_ones_too() {
        let xml = "<Outputs><member><OutputKey>A</OutputKey><OutputValue/></member><member><OutputKey>B</OutputKey>\
                   <OutputValue>a&amp;lt;b</OutputValue></member></Outputs>";
        let expected = [("A".to_owned(), String::new()), ("B".to_owned(), "a&lt;b".to_owned())];
        assert_eq!(outputs(xml).unwrap(), BTreeMap::from(expected));
    }
}
