use durable_runtime::prelude::*;

#[durable_step]
struct Charge {
    cents: u32,
}

fn cents(charge: &Charge) -> u32 {
    charge.cents
}

fn main() {}
