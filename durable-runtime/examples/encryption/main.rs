//! Payloads that only the workflow's own programs can read: `cargo run -p durable-runtime --example encryption`.
//!
//! [`seal`] has the serdes and the type. The guide's chapter on encryption says what they cover and what they do not.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use durable_engine::{Engine, HistoryPage};
use durable_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[expect(unreachable_pub, reason = "written to be copied into a crate of its own")]
mod seal;

use seal::{Encrypted, Keyring, Keys, Sealed};

/// The keys of this program. A real one reads them from where it keeps secrets; the id is the month of their making.
struct AppKeys;

impl Keys for AppKeys {
    fn keyring() -> Arc<Keyring> {
        static RING: LazyLock<Arc<Keyring>> =
            LazyLock::new(|| Arc::new(Keyring::new("2026-11", &[7; 32]).and_older("2026-10", &[6; 32])));
        Arc::clone(&RING)
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Card {
    number: String,
}

/// The token is worth as much as the card: its record is sealed.
#[durable_step(serdes = Encrypted<AppKeys>)]
async fn tokenise(card: &Sealed<Card, AppKeys>) -> Result<String, Error> {
    let last = card.get().number.get(15..).unwrap_or_default();
    Ok(format!("token of a card that ends in {last}"))
}

#[durable_step]
async fn charge(token: &str, cents: u64) -> Result<String, Error> {
    // The receipt may be read by everybody.
    Ok(format!("{cents} cents, {} letters of token", token.len()))
}

/// The input is sealed by its type, since whoever starts an execution knows no operation of it.
#[durable_execution]
async fn pay(card: Sealed<Card, AppKeys>) -> Result<String, Error> {
    let token = tokenise(&card).await?;
    wait(Duration::from_secs(1)).await; // what follows is another invocation, which opens the record of the token
    charge(&token, 4200).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder().open()?;
    let card = Card { number: "4242 4242 4242 4242".to_owned() };
    let run = engine.start(pay, Sealed::new(card)).await?;
    println!("result: {}\n\nwhat the history holds:", run.result().await?);
    for event in engine.history(run.arn(), HistoryPage::all()).await?.events {
        println!("{}", serde_json::to_string(&event)?);
    }
    Ok(())
}
