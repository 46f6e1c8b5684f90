use durable_runtime::prelude::*;

#[durable_step(retry(max_attempts = 3, initial_delay = "10s", backoff = 1, jitter = none))]
pub async fn charge(order: u32) -> Result<u32, Error> {
    Err(Error::new(format!("order {order}: no bank is reachable from a test")))
}

#[durable_step]
pub async fn ship(order: u32) -> Result<String, Error> {
    Ok(format!("parcel {order}"))
}

#[durable_execution]
pub async fn checkout(order: u32) -> Result<String, Error> {
    let cents = charge(order).await?;
    if cents > 10_000 {
        let approved: bool = callback("approval").timeout("48h").create().await.result().await?;
        if !approved {
            return Err(Error::new("rejected"));
        }
    }
    ship(order).await
}
