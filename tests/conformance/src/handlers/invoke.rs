//! Suite 5: other functions.

use durable_runtime::{
    prelude::*,
    serdes::{Serdes, SerdesError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Handler, function, serdes::UppercaseOnRead};

pub(super) const HANDLERS: &[Handler] = &[
    function!("5-1", echoed),
    function!("5-2", named),
    function!("5-5", failing_target),
    function!("5-7", large_payload),
    function!("5-8", for_a_tenant),
    function!("5-9", invoke_then_wait),
    function!("5-11", step_then_invoke),
    function!("5-12", invoke_then_step),
    function!("5-15", custom_payload),
    function!("5-16", custom_result),
    function!("echo", echo),
    function!("failing", failing),
    function!("relay", relay),
];

// Lambda wants a qualifier for functions that are durable themselves.
const ECHO: &str = "conformance-echo:$LATEST";
const FAILING: &str = "conformance-failing:$LATEST";

#[durable_execution]
async fn echo(input: Value) -> Result<Value, Error> {
    Ok(input)
}

#[durable_execution]
async fn failing(_input: Value) -> Result<Value, Error> {
    Err(Error::new("this function always fails"))
}

#[derive(Serialize, Deserialize)]
struct Relay {
    function: String,
    input: Value,
}

/// Lets a test invoke a function that the test brings along, in any language.
#[durable_execution]
async fn relay(input: Relay) -> Result<Value, Error> {
    Ok(invoke(input.function, &input.input).await?)
}

#[durable_execution]
async fn echoed(input: String) -> Result<String, Error> {
    Ok(invoke(ECHO, &input).await?)
}

#[derive(Serialize, Deserialize)]
struct Named {
    name: String,
    payload: String,
}

#[durable_execution]
async fn named(input: Named) -> Result<String, Error> {
    Ok(invoke(ECHO, &input.payload).named(input.name).await?)
}

#[durable_execution]
async fn failing_target() -> Result<Value, Error> {
    Ok(invoke(FAILING, &()).await?)
}

#[durable_execution]
async fn large_payload() -> Result<usize, Error> {
    let large = "x".repeat(200 * 1024);
    let returned: String = invoke(ECHO, &large).await?;
    Ok(returned.len())
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForTenant {
    tenant_id: String,
    payload: String,
}

#[durable_execution]
async fn for_a_tenant(input: ForTenant) -> Result<String, Error> {
    Ok(invoke(ECHO, &input.payload).tenant(input.tenant_id).await?)
}

#[durable_execution]
async fn invoke_then_wait() -> Result<String, Error> {
    let returned: String = invoke(ECHO, &"cached").await?;
    wait("1s").await;
    Ok(returned)
}

#[durable_step]
async fn prepare() -> Result<String, Error> {
    Ok("prepared".to_owned())
}

#[durable_execution]
async fn step_then_invoke() -> Result<String, Error> {
    let prepared = prepare().await?;
    Ok(invoke(ECHO, &prepared).await?)
}

#[durable_step]
async fn finish(returned: String) -> Result<String, Error> {
    Ok(format!("{returned} and finished"))
}

#[durable_execution]
async fn invoke_then_step() -> Result<String, Error> {
    let returned: String = invoke(ECHO, &"invoked").await?;
    finish(returned).await
}

#[derive(Serialize, Deserialize)]
struct Document {
    data: String,
}

/// Documents with their data in upper case.
struct Shouted;

impl Serdes<Document> for Shouted {
    fn serialize(value: &Document) -> Result<String, SerdesError> {
        let shouted = Document { data: value.data.to_uppercase() };
        serde_json::to_string(&shouted).map_err(|error| SerdesError(error.to_string()))
    }

    fn deserialize(text: &str) -> Result<Document, SerdesError> {
        serde_json::from_str(text).map_err(|error| SerdesError(error.to_string()))
    }
}

#[durable_execution]
async fn custom_payload(input: Document) -> Result<Document, Error> {
    Ok(invoke(ECHO, &input).input_serdes::<_, Shouted>(&input).await?)
}

#[durable_execution]
async fn custom_result(input: String) -> Result<String, Error> {
    Ok(invoke(ECHO, &input).serdes::<UppercaseOnRead>().await?)
}
