use durable_runtime::prelude::*;

struct Charge {
    cents: u32,
}

#[durable_step]
async fn cents(charge: &Charge) -> u32 {
    charge.cents
}
