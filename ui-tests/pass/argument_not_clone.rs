use durable_runtime::prelude::*;
use ui_tests::PayError;

struct Token(u32);

#[durable_step(retry(max_attempts = 3))]
async fn pay(n: u32, token: &Token) -> Result<u32, PayError> {
    Ok(n + token.0)
}

#[durable_step(retry(none))]
async fn pay_once(n: u32, token: Token) -> Result<u32, PayError> {
    Ok(n + token.0)
}
