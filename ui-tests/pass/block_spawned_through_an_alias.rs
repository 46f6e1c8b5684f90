use durable_runtime::prelude::*;

fn background(n: u32) {
    println!("{n}");
}

#[durable_execution]
async fn execution() -> u32 {
    background(2);
    1
}
