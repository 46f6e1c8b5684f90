use durable_runtime::prelude::*;
use ui_tests::PayError;

struct Input(u32);

#[durable_execution]
async fn checkout(input: Input) -> Result<u32, PayError> {
    Ok(input.0)
}

fn serve() {
    let _ = durable_runtime::workflow(checkout);
}

fn main() {}
