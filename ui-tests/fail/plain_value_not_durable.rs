use durable_runtime::prelude::*;

struct Receipt(u32);

#[durable_step]
async fn charge(n: u32) -> Receipt {
    Receipt(n)
}

fn main() {}
