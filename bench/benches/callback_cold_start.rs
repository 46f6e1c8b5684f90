//! The callback handler as Lambda starts it: how big, how soon its first callback is stored, delivered and answered, and
//! what memory that takes. The development server hosts it, with moto as DynamoDB.
//!
//! `BENCH_PYTHON` is an interpreter with moto; `cargo xtask bench` makes one.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use bench::{
    Figure, bootstrap,
    callbacks::{Failure, client, moto, tokens, waiter},
    machine, processes,
    timing::median,
};
use durable_cli::{DevServer, FunctionConfig};
use reqwest::Client;
use serde_json::{Value, json};
use workflows::callback::sha256;

/// Cold starts; the median counts.
const STARTS: usize = 15;
const TABLE: &str = "workflows";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let python = std::env::var_os("BENCH_PYTHON").map(PathBuf::from);
    let python = python.ok_or("BENCH_PYTHON is not set; run `cargo xtask bench callback_cold_start`")?;
    let program = bootstrap::callback_handler()?;
    let megabytes = fs::metadata(&program)?.len() as f64 / 1e6;
    Figure::new("callback function, stripped", megabytes, "MB").at_most(12.0).report();

    let folder = machine::scratch()?;
    let (_moto, dynamodb) = moto(&python).await?;
    let client = client()?;
    create_table(&client, &dynamodb).await?;
    // A function for each start: none of them has a process before it is invoked.
    let mut server = DevServer::builder().data(folder.path()).register(waiter);
    for start in 0..STARTS {
        server = server.function(name(start), function(&program, &dynamodb)?);
    }
    let server = server.start().await?;
    let mut times = Vec::new();
    for (start, token) in tokens(server.engine(), STARTS).await?.iter().enumerate() {
        put_route(&client, &dynamodb, token).await?;
        let url = format!("{}/2015-03-31/functions/{}:$LATEST/invocations", server.url(), name(start));
        let event = request(token);
        let begun = Instant::now();
        let answer: Value = client.post(url).json(&event).send().await?.json().await?;
        times.push(begun.elapsed());
        let is_delivered = answer.get("statusCode").is_some_and(|status| *status == 200)
            && answer.get("body").is_some_and(|body| body.to_string().contains("callback_delivered"));
        if !is_delivered {
            return Err(format!("not delivered: {answer}").into());
        }
    }
    let peak = processes::peak_memory(&program)? as f64 / 1e6;
    let first = median(times).as_secs_f64() * 1e3;
    Figure::new(
        "callback function, cold start to its first callback stored, delivered and answered",
        first,
        "ms",
    )
    .at_most(50.0)
    .report();
    Figure::new("callback function, peak memory", peak, "MB").at_most(40.0).report();
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

fn name(start: usize) -> String {
    format!("callback-{start}")
}

fn function(program: &std::path::Path, dynamodb: &str) -> Result<FunctionConfig, Failure> {
    let mut function =
        FunctionConfig::command([program.to_str().ok_or("the program's path is not UTF-8")?]);
    function.environment = [
        ("WORKFLOW_TABLE", TABLE),
        ("ARTIFACT_BUCKET", "artifacts"),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    Ok(function)
}

/// A callback, as an HTTP API of API Gateway hands it on.
fn request(token: &str) -> Value {
    let result =
        json!({ "findings": [{ "text": "a sentence of a usual length, with its source", "line": 17 }] });
    let body = json!({ "token": token, "status": "SUCCESS", "result": result });
    json!({
        "version": "2.0",
        "rawPath": "/callbacks",
        "headers": { "content-type": "application/json" },
        "requestContext": { "requestId": token, "http": { "method": "POST", "path": "/callbacks" } },
        "body": body.to_string(),
        "isBase64Encoded": false,
    })
}

async fn create_table(client: &Client, dynamodb: &str) -> Result<(), Failure> {
    let table = json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [
            { "AttributeName": "pk", "KeyType": "HASH" },
            { "AttributeName": "sk", "KeyType": "RANGE" },
        ],
        "AttributeDefinitions": [
            { "AttributeName": "pk", "AttributeType": "S" },
            { "AttributeName": "sk", "AttributeType": "S" },
        ],
    });
    ask(client, dynamodb, "CreateTable", &table).await
}

/// Who waits for the token, as the research workflow registers itself.
async fn put_route(client: &Client, dynamodb: &str, token: &str) -> Result<(), Failure> {
    let tomorrow = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
    let expires_at = tomorrow.duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let route = json!({
        "TableName": TABLE,
        "Item": {
            "pk": { "S": format!("TOKEN#{}", sha256(token.as_bytes())) },
            "sk": { "S": "ROUTE" },
            "workflow_id": { "S": "wf-00000000-0000-4000-8000-000000000000" },
            "phase": { "S": "research" },
            "expires_at": { "N": expires_at.to_string() },
        },
    });
    ask(client, dynamodb, "PutItem", &route).await
}

async fn ask(client: &Client, dynamodb: &str, operation: &str, body: &Value) -> Result<(), Failure> {
    let credential = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/dynamodb/aws4_request, \
                      SignedHeaders=host, Signature=0";
    let request = client
        .post(dynamodb)
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", credential)
        .body(body.to_string());
    request.send().await?.error_for_status()?;
    Ok(())
}
