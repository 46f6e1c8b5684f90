use durable_runtime::prelude::*;

#[durable_step(name = "pruefen")]
async fn check(n: u32) -> u32 {
    n
}
