use durable_runtime::prelude::*;
use ui_tests::Order;

#[durable_step]
async fn discount(mut order: Order) -> Order {
    order.id += 1;
    order
}
