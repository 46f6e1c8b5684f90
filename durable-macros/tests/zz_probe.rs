#![allow(unused)]
extern crate self as durable_runtime;
#[path = "double/mod.rs"]
pub mod __private;
use __private::Interrupted;
use durable_macros::*;

struct Token;
#[durable_step(retry(max_attempts = 3))]
async fn pay(n: u32, token: Token) -> Result<u32, String> {
    Ok(n)
}

#[durable_step(at_most_once)]
async fn amo(n: u32) -> Result<u32, String> {
    Ok(n)
}

#[durable_execution]
async fn not_send() -> Result<u32, String> {
    let r = std::rc::Rc::new(1);
    let n = pay(*r, Token).await?;
    Ok(n + *r)
}

#[durable_execution]
async fn mismatch() -> u32 {
    let r: String = pay(1, Token).await;
    r
}

#[durable_execution]
async fn plain() -> u32 {
    let (a, b) = join!(pay(1, Token), std::future::ready(1)).await;
    std::future::ready(1).await
}

#[durable_execution]
async fn lint() -> u32 {
    std::thread::spawn(|| 1);
    let x = vec![std::time::SystemTime::now()];
    tokio::select! { a = b => {} }
}
#[durable_step]
async fn body_type() -> u32 {
    "a"
}

#[durable_execution]
async fn closure(v: Vec<u32>) -> u32 {
    let f = async |x: u32| x;
    f(1).await
}

#[durable_step(timeout = "3 weeks", foo)]
fn syncc(x: &mut u32) -> Result<u32, String> {
    Ok(1)
}

fn unused_async() {
    let m: () = join!(pay(1, Token));
}
