//! What the macros emit compiles, and means what was written, in all the shapes that functions come in.

#![deny(warnings)]

extern crate self as durable_runtime;

#[path = "double/mod.rs"]
pub mod __private;

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use __private::{DurableOperation, HISTORY, Interrupted};
use durable_macros::{durable_execution, durable_step, join, nondeterministic, race, step};

#[derive(Clone, Debug, PartialEq)]
struct Order {
    id: u32,
}

#[derive(Debug, PartialEq)]
enum PayError {
    Declined,
    Interrupted,
}

impl From<Interrupted> for PayError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

type Paid<T> = Result<T, PayError>;

/// Runs an operation whose futures are all ready, and returns what was recorded on the way.
fn run<T: DurableOperation>(operation: T) -> (T::Output, Vec<String>) {
    let (output, history) = run_with_codecs(operation);
    (output, history.into_iter().map(|(name, _)| name).collect())
}

fn run_with_codecs<T: DurableOperation>(operation: T) -> (T::Output, Vec<(String, bool)>) {
    HISTORY.take();
    let mut future = pin!(operation.start());
    let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing here waits")
    };
    (output, HISTORY.take())
}

#[durable_step(retry(max_attempts = 5, initial_delay = "1s", backoff = 2, max_delay = "1m", jitter = full))]
async fn charge(order: &Order, amount: u32) -> Result<u32, PayError> {
    if amount == 0 { Err(PayError::Declined) } else { Ok(order.id + amount) }
}

#[durable_step(at_most_once, timeout = "30s", name = "ship it")]
async fn ship(order: &Order) -> Paid<u32> {
    std::future::ready(()).await;
    Ok(order.id)
}

#[durable_execution]
async fn checkout(order: Order) -> Result<u32, PayError> {
    let receipt = charge(&order, 2).await?;
    let doubled = async {
        let again = charge(&order, 0).await;
        if again.is_err() { receipt * 2 } else { 0 }
    };
    let doubled = doubled.await;
    let (shipped, assessed) = join!("fulfil"; ship(&order), risk = async { assess(&order).await }).await;
    let now = 7 * u64::from(nondeterministic!(std::time::SystemTime::now() > std::time::UNIX_EPOCH));
    let inline = step!("lookup", retry(none), {
        std::future::ready(()).await;
        Ok::<u64, PayError>(now + u64::from(order.id))
    })
    .await?;
    let first = race!(assess(&order), assess(&order)).await;
    assert_eq!(inline, 8);
    Ok(doubled + shipped? + assessed + first)
}

#[durable_execution(name = "assess risk")]
async fn assess(order: &Order) -> u32 {
    order.id
}

#[test]
fn a_whole_execution() {
    let (output, history) = run_with_codecs(checkout(Order { id: 1 }));
    assert_eq!(output, Ok(6 + 1 + 1 + 1));
    let expected = [
        ("checkout", true),
        ("charge", true),
        ("charge", true),
        ("fulfil", false),
        ("branch 0", true),
        ("ship it", true),
        ("risk", false),
        ("assess risk", false),
        ("lookup", true),
        ("assess risk", false),
    ];
    assert_eq!(history, expected.map(|(name, fallible)| (name.to_owned(), fallible)));
}

// Shapes.

#[durable_step]
async fn nothing() {}

#[durable_step]
async fn destructured((a, b): (u32, u32), [c]: [u32; 1], _: u8) -> u32 {
    a + b + c
}

#[durable_step]
async fn mutable(mut text: String, suffix: &str) -> String {
    text.push_str(suffix);
    text
}

#[durable_step]
async fn borrowed<'a>(text: &'a str, other: Option<&Order>) -> Cow<'a, str> {
    if other.is_some() { Cow::Borrowed(text) } else { Cow::Owned(text.to_uppercase()) }
}

#[durable_step]
async fn elided(text: &str) -> Option<&str> {
    text.split(' ').next()
}

#[durable_step]
async fn generic<T, const N: usize>(items: [T; N], f: impl Fn(T) -> u32 + Clone + Send) -> Vec<u32>
where
    T: Clone + Send,
{
    items.into_iter().map(f).collect()
}

#[durable_step]
async fn by_output<T: Default + Send>() -> T {
    T::default()
}

#[durable_step]
async fn r#try(n: u32) -> u32 {
    n
}

#[durable_step(retry(none))]
async fn moved(token: Token) -> u32 {
    token.0
}

struct Token(u32);

/// Public, documented, deprecated, and with lints of its own.
#[durable_execution]
#[deprecated = "use something else"]
#[expect(unused_variables)]
pub async fn decorated(unused: u32) -> u32 {
    let unused_too = 1;
    2
}

#[durable_execution]
async fn shapes(order: Order) -> Result<Vec<String>, PayError> {
    #![allow(clippy::needless_pass_by_value)]
    nothing().await;
    let mut results = vec![destructured((1, 2), [3], 0).await.to_string(), mutable("a".into(), "b").await];
    results.push(borrowed("x y", Some(&order)).await.into_owned());
    results.push(elided("x y").await.unwrap_or_default().to_owned());
    results.push(format!("{:?}", generic([1_u8, 2], u32::from).await));
    results.push(by_output::<String>().await);
    let Some(n) = Some(r#try(4).await) else { return Err(PayError::Declined) };
    if let Some(m) = Some(moved(Token(n)).await)
        && m == moved(Token(n)).await
    {
        results.push(m.to_string());
    }
    match Some(n) {
        Some(n) if let 5 = r#try(n + 1).await => results.push("guard".to_owned()),
        _ => {}
    }
    'outer: loop {
        match r#try(1).await {
            1 if r#try(2).await == 2 => break 'outer,
            _ => continue,
        }
    }
    #[allow(deprecated)]
    results.push(decorated(0).await.to_string());
    Ok(results)
}

#[test]
fn all_shapes() {
    let (output, history) = run(shapes(Order { id: 1 }));
    let expected = ["6", "ab", "x y", "x", "[1, 2]", "", "4", "guard", "2"];
    assert_eq!(output, Ok(expected.map(str::to_owned).to_vec()));
    assert_eq!(history.iter().filter(|name| *name == "try").count(), 4);
}

// Recursion: direct and mutual, without `Box::pin`.

#[durable_execution]
async fn factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * factorial(n - 1).await }
}

#[durable_execution]
async fn is_even(n: u32) -> bool {
    if n == 0 { true } else { is_odd(n - 1).await }
}

#[durable_execution]
async fn is_odd(n: u32) -> bool {
    if n == 0 { false } else { is_even(n - 1).await }
}

#[test]
fn recursion() {
    assert_eq!(run(factorial(5)).0, 120);
    assert!(run(is_even(4)).0);
}

// Methods.

#[derive(Clone)]
struct Shop {
    fee: u32,
}

impl Shop {
    /// The price with the fee.
    #[durable_step]
    pub async fn price(&self, n: u32) -> u32 {
        self.fee + n
    }

    #[durable_step]
    async fn consumed(mut self) -> u32 {
        self.fee += 1;
        self.fee
    }

    #[durable_step]
    async fn create(fee: u32) -> Self {
        Self { fee }
    }

    #[durable_step]
    async fn text(&self, text: &str, n: &u32) -> String {
        format!("{}{text}{n}", self.fee)
    }

    #[durable_execution]
    async fn total(self: Arc<Self>, items: Vec<u32>) -> u32 {
        let mut total = Self::create(1).await.consumed().await;
        for item in items {
            total += self.price(item).await;
        }
        total
    }
}

#[test]
fn methods() {
    let shop = Arc::new(Shop { fee: 10 });
    let (total, history) = run(Arc::clone(&shop).total(vec![1, 2]));
    assert_eq!(total, 2 + 11 + 12);
    assert_eq!(history, ["total", "create", "consumed", "price", "price"]);
    assert_eq!(run(shop.text("a", &1)).0, "10a1");
}

// Functions out of `macro_rules!`.

macro_rules! define {
    ($name:ident, $ty:ty, $value:expr) => {
        #[durable_execution]
        async fn $name(order: Order) -> Result<$ty, PayError> {
            let charged = charge(&order, $value).await?;
            let block = async move { charged + 1 };
            Ok(<$ty>::from(block.await))
        }
    };
}

define!(generated, u64, 2 + 3);

#[test]
fn generated_functions() {
    assert_eq!(run(generated(Order { id: 1 })).0, Ok(7));
}

/// Temporaries in a branch live as long as the statement.
#[durable_execution]
async fn temporaries() -> Paid<u32> {
    let (a, b) = join!(charge(&Order { id: 1 }, 1), left = ship(&Order { id: 2 })).await;
    Ok(a? + b?)
}

#[test]
fn temporaries_live_long_enough() {
    assert_eq!(run(temporaries()).0, Ok(4));
}
