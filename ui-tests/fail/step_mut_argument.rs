use durable_runtime::prelude::*;
use ui_tests::Order;

#[durable_step]
async fn discount(order: &mut Order) {
    order.id += 1;
}

fn main() {}
