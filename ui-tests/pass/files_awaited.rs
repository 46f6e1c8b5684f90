use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> String {
    step!("orders", { tokio::fs::read_to_string("orders").await.unwrap_or_default() }).await
}
