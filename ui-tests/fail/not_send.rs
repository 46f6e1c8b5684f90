use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn execution(order: Order) -> Result<u32, PayError> {
    let shared = std::rc::Rc::new(1);
    let n = charge(order).await?;
    Ok(n + *shared)
}

fn main() {}
