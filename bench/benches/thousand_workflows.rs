//! A thousand research workflows at the same time, the whole path of each on this machine: started over HTTP, three
//! agents that answer at once by callback over HTTP, approved as soon as they ask. All finish, no callback is lost.

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, routing::post};
use bench::{
    Figure,
    callbacks::{Failure, client},
    machine,
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use workflows::{
    config::Config,
    host::{AgentChoice, DataDir, Host, HostOptions},
};

const WORKFLOWS: usize = 1000;
/// Requests that this bench has open at a time.
const REQUESTS: usize = 64;
const LIMIT: Duration = Duration::from_secs(600);
const AGENTS: usize = 3;
/// How often a caller looks at its workflow.
const POLL: Duration = Duration::from_millis(500);
/// How often the memory is read.
const SAMPLES: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = machine::scratch()?;
    let agents = agents().await?;
    let choice = AgentChoice {
        researcher: Some(agents.clone()),
        analyst: Some(agents.clone()),
        writer: Some(agents),
        ..AgentChoice::default()
    };
    let directory = DataDir::create(&folder.path().join("data"))?;
    let config = Config::read(|_| None)?;
    let host = Host::start(HostOptions { directory, config, agents: choice, port: None }).await?;
    let url = host.url().ok_or("a started host has an address")?;
    let before = machine::resident_memory()?;

    let begun = Instant::now();
    let mut running = JoinSet::new();
    let (client, requests) = (client()?, Arc::new(Semaphore::new(REQUESTS)));
    for number in 0..WORKFLOWS {
        let (url, client, requests) = (url.clone(), client.clone(), Arc::clone(&requests));
        running.spawn(async move { follow(&client, &url, &requests, number).await });
    }
    let (mut peak, mut callbacks) = (before, 0);
    loop {
        let next = tokio::time::timeout(SAMPLES, running.join_next()).await;
        peak = peak.max(machine::resident_memory()?);
        match next {
            Err(_) => {}
            Ok(Some(delivered)) => callbacks += delivered??,
            Ok(None) => break,
        }
    }
    let elapsed = begun.elapsed();

    let of = format!("{WORKFLOWS} workflows at once");
    Figure::new(format!("{of}, all completed after"), elapsed.as_secs_f64(), "s").report();
    let lost = (WORKFLOWS * AGENTS) as f64 - callbacks as f64;
    Figure::new(format!("{of}, callbacks lost"), lost, "").at_most(0.0).report();
    let megabytes = peak.saturating_sub(before) as f64 / 1e6;
    Figure::new(format!("{of}, memory above the idle process, their callers' included"), megabytes, "MB")
        .report();
    host.shutdown().await;
    Ok(())
}

/// One workflow from its start to its report. Says how many callbacks were delivered to it.
async fn follow(client: &Client, url: &str, requests: &Semaphore, number: usize) -> Result<usize, Failure> {
    let ask = async |request: reqwest::RequestBuilder| -> Result<Value, Failure> {
        let _permit = requests.acquire().await?;
        Ok(request.send().await?.error_for_status()?.json().await?)
    };
    let topic = json!({ "topic": format!("topic {number}") });
    let started = ask(client.post(format!("{url}/workflows")).json(&topic)).await?;
    let id = started.get("workflow_id").and_then(Value::as_str).ok_or("a started workflow has an id")?;
    let workflow = format!("{url}/workflows/{id}");
    let deadline = Instant::now() + LIMIT;
    loop {
        let shown = ask(client.get(&workflow)).await?;
        match shown.get("status").and_then(Value::as_str).unwrap_or_default() {
            "COMPLETED" => break,
            "AWAITING_APPROVAL" => {
                let approval = json!({ "approved": true });
                // Nobody else decides, so a refusal means that the workflow has gone on since it was shown.
                let _permit = requests.acquire().await?;
                client.post(format!("{workflow}/approval")).json(&approval).send().await?;
            }
            "FAILED" | "REJECTED" | "CANCELLED" => return Err(format!("workflow {number}: {shown}").into()),
            _ if Instant::now() > deadline => return Err(format!("workflow {number} hangs: {shown}").into()),
            _ => {}
        }
        tokio::time::sleep(POLL).await;
    }
    let inside = ask(client.get(format!("{workflow}/operations"))).await?;
    let callbacks = inside.get("callbacks").and_then(Value::as_array).ok_or("there is a history")?;
    let is_delivered = |it: &&Value| it.get("answer").and_then(Value::as_str) == Some("callback_delivered");
    Ok(callbacks.iter().filter(is_delivered).count())
}

/// One A2A endpoint for all three agents: it accepts a task, and its result is on the way at once.
async fn agents() -> Result<String, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let routes = Router::new().route("/", post(accept)).with_state(client()?);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(url)
}

async fn accept(State(client): State<Client>, Json(request): Json<Value>) -> Json<Value> {
    let text = request.pointer("/params/message/parts/0/text").and_then(Value::as_str).unwrap_or_default();
    let task: Value = serde_json::from_str(text).unwrap_or_default();
    tokio::spawn(async move { call_back(&client, &task).await });
    let result = json!({ "id": request.pointer("/params/id"), "status": { "state": "submitted" } });
    Json(json!({ "jsonrpc": "2.0", "id": request.get("id"), "result": result }))
}

async fn call_back(client: &Client, task: &Value) {
    let is_writer = task.get("task").and_then(Value::as_str) == Some("write");
    let result = if is_writer { json!({ "report": "# Report" }) } else { json!({ "findings": ["one"] }) };
    let body = json!({ "token": task.get("callback_token"), "status": "SUCCESS", "result": result });
    let url = task.get("callback_url").and_then(Value::as_str).unwrap_or_default();
    // As agents do: until it is taken.
    while !client.post(url).json(&body).send().await.is_ok_and(|answer| answer.status().is_success()) {
        tokio::time::sleep(POLL).await;
    }
}
