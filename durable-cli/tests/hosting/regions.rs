//! The region: in ARNs, and of functions.

use durable_cli::{DevServer, StartError};
use serde_json::json;

use crate::support::{Client, scripted};

#[tokio::test]
async fn the_region_is_in_arns_and_functions_and_an_execution_keeps_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let start = |region: &str| {
        DevServer::builder().data(folder.path()).region(region).function("f", scripted()).start()
    };
    let script = json!({ "script": [{ "variable": "AWS_REGION" }] });
    let server = start("eu-west-1").await.unwrap();
    let client = Client::new(server.url());
    let answer = client.invoke("f", &[], script.to_string().as_bytes()).await;
    assert_eq!(answer.ok(), "eu-west-1");
    let arn = answer.header("x-amz-durable-execution-arn").unwrap().to_owned();
    assert!(arn.starts_with("arn:aws:lambda:eu-west-1:000000000000:function:f:$LATEST/durable-execution/"));
    let function = json!({ "script": [{ "header": "lambda-runtime-invoked-function-arn" }] });
    let told = client.run("f", &function).await;
    assert_eq!(told, "arn:aws:lambda:eu-west-1:000000000000:function:f:$LATEST");
    server.shutdown(std::time::Duration::from_secs(10)).await;

    let server = start("cn-north-1").await.unwrap();
    let client = Client::new(server.url());
    assert_eq!(client.execution(&arn).await["DurableExecutionArn"], arn);
    let answer = client.invoke("f", &[], script.to_string().as_bytes()).await;
    let arn = answer.header("x-amz-durable-execution-arn").unwrap();
    assert!(arn.starts_with("arn:aws-cn:lambda:cn-north-1:"), "{arn}");
}

#[tokio::test]
async fn a_region_that_is_none_is_refused() {
    for region in ["", "eu west", "EU", "a:b"] {
        let refused = DevServer::builder().region(region).start().await;
        assert!(matches!(refused, Err(StartError::Region { .. })), "{region}");
    }
}
