use durable_runtime::prelude::*;
use ui_tests::charge, Order;

fn background(order: Order) {
    tokio::spawn(charge(order));
}

fn main() {}
