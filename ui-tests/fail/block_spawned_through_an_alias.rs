use durable_runtime::prelude::*;

fn background<F: Future<Output = u32> + Send + 'static>(future: F) {
    drop(future);
}

#[durable_execution]
async fn execution() -> u32 {
    background(async { 1 });
    1
}

fn main() {}
