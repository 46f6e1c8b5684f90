use durable_runtime::prelude::*;

#[durable_step(name = "twice", retry(none))]
async fn double(n: u32) -> u32 {
    n * 2
}
