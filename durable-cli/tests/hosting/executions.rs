//! Durable functions that speak the Runtime API.

use durable_cli::{DevServer, FunctionConfig};
use reqwest::Method;
use serde_json::json;

use crate::support::{Client, callback_path, scripted, server_with};

#[tokio::test]
async fn steps_and_waits_run_across_invocations_of_one_warm_process() {
    let (server, client) = server_with(scripted()).await;
    let script = json!({ "script": [{ "step": 7 }, { "wait": 1 }, { "step": "x" }, { "pid": true }] });
    let answer = client.invoke("f", &[], script.to_string().as_bytes()).await;
    let first_process = answer.ok();
    let arn = answer.header("x-amz-durable-execution-arn").unwrap().to_owned();
    let expected = [
        "ExecutionStarted",
        "StepStarted",
        "StepSucceeded",
        "WaitStarted",
        "InvocationCompleted",
        "WaitSucceeded",
        "StepStarted",
        "StepSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ];
    assert_eq!(client.event_types(&arn).await, expected);
    let second_process = client.run("f", &json!({ "script": [{ "pid": true }] })).await;
    assert_eq!(first_process, second_process, "a warm start");
    assert!(server.shutdown(crate::support::LIMIT).await);
    assert!(!is_running(&first_process), "the process ends with the server");
}

fn is_running(pid: &serde_json::Value) -> bool {
    std::path::Path::new("/proc").join(pid.to_string()).exists()
}

#[tokio::test]
async fn a_callback_brings_its_result_into_the_function() {
    let (_server, client) = server_with(scripted()).await;
    let script = json!({ "script": [{ "callback": { "TimeoutSeconds": 60 } }] });
    let arn = client.start("f", None, &script).await;
    let id = client.callback_id(&arn).await;
    client.send(Method::POST, &callback_path(&id, "succeed"), &[], br#"{"by": "hand"}"#).await.ok();
    assert_eq!(client.ended(&arn).await["Result"], r#"{"by":"hand"}"#);
}

#[tokio::test]
async fn what_completes_while_the_function_runs_is_acted_upon_at_once() {
    let (_server, client) = server_with(scripted()).await;
    // The callback is completed during the sleep; the function then ends PENDING, not knowing of it.
    let script = json!({ "script": [{ "callback": { "TimeoutSeconds": 60 }, "then_sleep": 500 }] });
    let arn = client.start("f", None, &script).await;
    let id = client.callback_id(&arn).await;
    client.send(Method::POST, &callback_path(&id, "succeed"), &[], b"1").await.ok();
    assert_eq!(client.ended(&arn).await["Result"], "1");
    let expected = [
        "ExecutionStarted",
        "CallbackStarted",
        "CallbackSucceeded",
        "InvocationCompleted",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ];
    assert_eq!(client.event_types(&arn).await, expected);
    let first = client.event(&arn, "InvocationCompleted").await;
    assert_eq!(first["InvocationCompletedDetails"].get("Error"), None, "{first}");
}

#[tokio::test]
async fn a_function_invokes_durable_and_plain_functions() {
    let mut plain = scripted();
    plain.durable = false;
    let server =
        DevServer::builder().function("f", scripted()).function("plain", plain).start().await.unwrap();
    let client = Client::new(server.url());
    let child = json!({ "script": [{ "wait": 1 }, { "step": "from the child" }] });
    let result = client.run("f", &json!({ "script": [{ "invoke": "f:$LATEST", "input": child }] })).await;
    assert_eq!(result, "from the child");
    let invoke = |input| json!({ "script": [{ "invoke": "plain", "input": input }] });
    assert_eq!(client.run("f", &invoke(json!({ "return": { "n": 1 } }))).await, json!({ "n": 1 }));

    let arn = client.start("f", None, &invoke(json!({ "throw": "Oops" }))).await;
    let failed = client.ended(&arn).await;
    assert_eq!(failed["Error"]["ErrorType"], "Oops");
    assert_eq!(failed["Error"]["StackTrace"], json!(["frame 1"]));
    let missing = json!({ "script": [{ "invoke": "missing", "input": {} }] });
    let arn = client.start("f", None, &missing).await;
    assert_eq!(client.ended(&arn).await["Error"]["ErrorType"], "ResourceNotFoundException");
}

#[tokio::test]
async fn a_process_has_the_environment_and_the_headers_of_lambda() {
    let mut config = scripted();
    config.memory = 512;
    config.handler = Some("app.handler".into());
    config.environment.insert("TABLE".into(), "orders".into());
    let (server, client) = server_with(config).await;
    for (name, expected) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("_HANDLER", "app.handler"),
        ("TABLE", "orders"),
        ("AWS_ENDPOINT_URL_LAMBDA", server.url().as_str()),
    ] {
        let value = client.run("f", &json!({ "script": [{ "variable": name }] })).await;
        assert_eq!(value, expected, "{name}");
    }
    for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_GROUP_NAME", "LAMBDA_TASK_ROOT"] {
        let value = client.run("f", &json!({ "script": [{ "variable": name }] })).await;
        assert!(value.is_string(), "{name}");
    }

    let header = async |name: &str| {
        let script = json!({ "script": [{ "header": name }] }).to_string();
        let answer = client.invoke("f", &[], script.as_bytes()).await;
        let arn = answer.header("x-amz-durable-execution-arn").unwrap().to_owned();
        (answer.ok().as_str().unwrap().to_owned(), client.event(&arn, "InvocationCompleted").await)
    };
    let (request_id, completed) = header("Lambda-Runtime-Aws-Request-Id").await;
    assert_eq!(completed["InvocationCompletedDetails"]["RequestId"], request_id.as_str());
    let (deadline, completed) = header("Lambda-Runtime-Deadline-Ms").await;
    let started = completed["InvocationCompletedDetails"]["StartTimestamp"].as_f64().unwrap();
    let left = deadline.parse::<f64>().unwrap() / 1000.0 - started;
    assert!((895.0..905.0).contains(&left), "{left} s");
    let (arn, _) = header("Lambda-Runtime-Invoked-Function-Arn").await;
    assert!(arn.ends_with(":function:f:$LATEST"), "{arn}");
    let (trace, _) = header("Lambda-Runtime-Trace-Id").await;
    assert!(
        trace.starts_with("Root=1-") && trace.contains(";Parent=") && trace.contains(";Sampled="),
        "{trace}"
    );
}

#[tokio::test]
async fn a_large_state_comes_in_pages() {
    let (_server, client) = server_with(scripted()).await;
    // More than an envelope holds.
    let mut script = vec![json!({ "large": 1_000_000 }); 7];
    script.extend([json!({ "wait": 1 }), json!({ "step": "end" })]);
    assert_eq!(client.run("f", &json!({ "script": script })).await, "end");
}

#[tokio::test]
async fn as_many_invocations_run_as_the_function_allows() {
    let mut config = scripted();
    config.concurrency = 2;
    let (_server, client) = server_with(config).await;
    let script = json!({ "script": [{ "sleep": 300 }, { "pid": true }] });
    let runs = (0..4).map(|_| client.run("f", &script));
    let begun = tokio::time::Instant::now();
    let pids = futures_of(runs).await;
    let distinct: std::collections::BTreeSet<_> = pids.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), 2, "{pids:?}");
    assert!(begun.elapsed().as_millis() >= 600, "{:?}", begun.elapsed());
}

/// The results of all of them, run at the same time.
async fn futures_of<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *result = Some(ready);
            }
        }
        if results.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[tokio::test]
async fn an_execution_runs_out_of_the_time_that_its_function_has() {
    let mut config = scripted();
    config.execution_timeout = Some(std::time::Duration::from_secs(1));
    let (_server, client) = server_with(config).await;
    let arn = client.start("f", None, &json!({ "script": [{ "wait": 60 }] })).await;
    assert_eq!(client.ended(&arn).await["Status"], "TIMED_OUT");
}

#[tokio::test]
async fn settings_that_can_not_work_keep_the_server_from_starting() {
    let nothing = FunctionConfig::command(Vec::<String>::new());
    let refused = DevServer::builder().function("f", nothing).start().await.unwrap_err();
    assert!(refused.to_string().contains("nothing hosts it"), "{refused}");
}
