use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> String {
    step!("home", { std::env::var("HOME").unwrap_or_default() }).await
}
