use durable_runtime::prelude::*;

#[durable_step]
async fn reserve(seat: u32) -> Result<u32, Error> {
    Ok(seat)
}

#[durable_execution]
async fn seats() -> Result<u32, Error> {
    saga!({ reserve(1).await }).await
}
