use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use durable_runtime::{ErrorObject, prelude::*};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub id: u64,
    pub items: Vec<String>,
    pub cents: u64,
}

/// What the reviewer sends back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Approval {
    pub approved: bool,
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
pub enum CheckoutError {
    #[error("`{0}` is out of stock")]
    OutOfStock(String),
    #[error("the reviewer said no")]
    Rejected,
    #[error("nobody approved it: {0}")]
    NotApproved(#[from] CallbackError),
}

/// The shop's warehouse, bank and mail. In real life these are clients of three services; all of them know a
/// request by its idempotency key, and take a repeated one for the same.
#[derive(Debug, Default)]
pub struct Shop {
    books: Mutex<Books>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    pub reserved: BTreeMap<String, String>,
    pub charged: BTreeMap<String, u64>,
    pub shipped: BTreeMap<String, u64>,
}

impl Shop {
    pub fn books(&self) -> Books {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Books) -> T) -> T {
        change(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The same for each attempt of the running step, also after a crash.
fn key() -> String {
    current_step().map(|step| step.idempotency_key()).unwrap_or_default()
}

#[durable_step(retry(max_attempts = 5, retry_if = may_change))]
async fn reserve(shop: &Shop, item: &str) -> Result<String, CheckoutError> {
    if item.starts_with("rare") {
        return Err(CheckoutError::OutOfStock(item.to_owned()));
    }
    shop.change(|books| books.reserved.insert(key(), item.to_owned()));
    Ok(key())
}

/// What is out of stock stays so.
fn may_change(error: &ErrorObject) -> bool {
    !error.message().ends_with("out of stock")
}

#[durable_step(retry(max_attempts = 20))]
async fn release(shop: Arc<Shop>, reservation: String) -> Result<(), CheckoutError> {
    shop.change(|books| books.reserved.remove(&reservation));
    Ok(())
}

#[durable_step]
async fn charge(shop: &Shop, cents: u64) -> Result<String, CheckoutError> {
    shop.change(|books| books.charged.insert(key(), cents));
    Ok(key())
}

#[durable_step(retry(max_attempts = 20))]
async fn refund(shop: Arc<Shop>, receipt: String) -> Result<(), CheckoutError> {
    shop.change(|books| books.charged.remove(&receipt));
    Ok(())
}

#[durable_step]
async fn ask_reviewer(order: &Order, id: CallbackId) -> Result<(), CheckoutError> {
    println!("order {} costs {} cents; answer to {id}", order.id, order.cents);
    Ok(())
}

#[durable_step]
async fn ship(shop: &Shop, order: &Order) -> Result<String, CheckoutError> {
    shop.change(|books| books.shipped.insert(key(), order.id));
    Ok(format!("parcel {}", order.id))
}

#[durable_execution]
pub async fn checkout(shop: Arc<Shop>, order: Order) -> Result<String, CheckoutError> {
    // One branch for each item. When one is out of stock, the others are released.
    map(&order.items, |item| {
        let undo = Arc::clone(&shop);
        reserve(&shop, item).compensate(move |reservation| release(undo, reservation))
    })
    .max_concurrency(4)
    .named("reserve all")
    .await?;

    let undo = Arc::clone(&shop);
    charge(&shop, order.cents).compensate(move |receipt| refund(undo, receipt)).await?;

    if order.cents > 10_000 {
        // Suspended for up to two days, without a process.
        let approval: Approval =
            callback("approval").timeout("2d").submit(|id| ask_reviewer(&order, id)).await?;
        if !approval.approved {
            return Err(CheckoutError::Rejected); // refunds, and releases
        }
    }

    ship(&shop, &order).await
}
