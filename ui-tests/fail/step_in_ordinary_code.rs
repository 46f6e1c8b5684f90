use ui_tests::{Order, PayError, charge};

async fn ordinary(order: Order) -> Result<u32, PayError> {
    let n = charge(order).await?;
    Ok(n)
}

fn main() {}
