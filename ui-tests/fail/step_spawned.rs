use ui_tests::{Order, charge};

fn background(order: Order) {
    tokio::spawn(charge(order));
}

fn main() {}
