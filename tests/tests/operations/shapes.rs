//! The shapes of functions: methods, generics, references, and what branches may borrow.

use std::{fmt::Debug, time::Duration};

use cross_tests::{journal::note, runs::run};
use durable_runtime::{BoxOp, prelude::*};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    id: u32,
    items: Vec<String>,
}

fn order() -> Order {
    Order { id: 7, items: vec!["tea".into(), "milk".into()] }
}

impl Order {
    #[durable_step]
    async fn price(&self, item: &str) -> Result<usize, Error> {
        note(format!("price {item}"));
        Ok(item.len() + self.items.len())
    }

    #[durable_execution]
    async fn total(&self) -> Result<usize, Error> {
        let mut total = 0;
        for item in &self.items {
            total += self.price(item).await?;
        }
        wait(Duration::from_secs(1)).await;
        Ok(total)
    }

    #[durable_step]
    async fn discount() -> Result<usize, Error> {
        Ok(1)
    }

    #[durable_execution]
    async fn consume(self) -> Result<u32, Error> {
        Ok(self.id + Self::discount().await? as u32)
    }
}

#[durable_execution]
async fn methods(order: Order) -> Result<(usize, u32), Error> {
    let total = order.total().await?;
    Ok((total, order.consume().await?))
}

#[test]
fn steps_and_executions_can_be_methods() {
    let ended = run(methods, order());
    assert_eq!(ended.notes, ["price tea", "price milk"]);
    assert_eq!(ended.value(), (5 + 6, 8));
}

#[durable_step]
async fn show<T: Debug + Clone + Send + Sync>(value: T) -> Result<String, Error> {
    Ok(format!("{value:?}"))
}

#[durable_step]
async fn longest<'a>(left: &'a str, right: &'a str) -> Result<String, Error> {
    Ok(if left.len() < right.len() { right } else { left }.to_owned())
}

#[durable_step]
async fn same<T>(value: &T) -> Result<T, Error>
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync,
{
    Ok(value.clone())
}

#[durable_execution]
async fn generic<T: Clone + Debug + Serialize + DeserializeOwned + Send + Sync>(
    value: &T,
) -> Result<String, Error> {
    show(same(value).await?).await
}

#[durable_execution]
async fn generics() -> Result<Vec<String>, Error> {
    let text = String::from("short");
    Ok(vec![
        show(1).await?,
        show(Some("x")).await?,
        generic(&order().id).await?,
        longest(&text, "longer").await?,
    ])
}

#[test]
fn functions_can_be_generic_and_take_references() {
    assert_eq!(run(generics, ()).value(), ["1", "Some(\"x\")", "7", "longer"]);
}

#[durable_execution]
async fn borrowing(order: Order) -> Result<(usize, Vec<usize>, usize), Error> {
    let mut visited = 0;
    let (first, all) = join!(order.price("a"), async {
        visited += 1;
        map(&order.items, |item| order.price(item)).await
    })
    .await;
    Ok((first?, all?, visited))
}

#[test]
fn branches_borrow_what_is_around_them_and_may_change_it() {
    assert_eq!(run(borrowing, order()).value(), (3, vec![5, 6], 1));
}

trait Carrier: Send + Sync {
    fn deliver<'a>(&'a self, parcel: &'a str) -> BoxOp<'a, Result<String, Error>>;
}

struct Post;

#[durable_step]
async fn by_post(parcel: &str) -> Result<String, Error> {
    Ok(format!("{parcel} by post"))
}

impl Carrier for Post {
    fn deliver<'a>(&'a self, parcel: &'a str) -> BoxOp<'a, Result<String, Error>> {
        by_post(parcel).boxed()
    }
}

#[durable_execution]
async fn delivered() -> Result<String, Error> {
    let carrier: Box<dyn Carrier> = Box::new(Post);
    carrier.deliver("tea").await
}

#[test]
fn an_operation_can_come_out_of_a_trait_object() {
    assert_eq!(run(delivered, ()).value(), "tea by post");
}

#[durable_execution]
async fn control_flow(limit: u32) -> Result<Vec<u32>, Error> {
    let mut found = Vec::new();
    let total = 'outer: loop {
        for n in 0.. {
            if let Some(n) = Some(n).filter(|n| n % 2 == 0)
                && n >= limit
            {
                break 'outer n;
            }
            let Ok(value) = same(&n).await else { continue };
            match same(&value).await? {
                odd if odd % 2 == 1 => found.push(odd),
                _ => {}
            }
        }
    };
    found.push(total);
    assert_eq!(vec![same(&1).await?, 2], [1, 2]);
    Ok(found)
}

#[test]
fn operations_stand_wherever_expressions_do() {
    assert_eq!(run(control_flow, 5).value(), [1, 3, 5, 6]);
}

macro_rules! pipeline {
    ($name:ident, $($stage:ident),+) => {
        #[durable_execution]
        async fn $name(value: u32) -> Result<u32, Error> {
            $(let value = $stage(value).await?;)+
            Ok(value)
        }
    };
}

#[durable_step]
async fn double(value: u32) -> Result<u32, Error> {
    Ok(value * 2)
}

pipeline!(doubled_twice, double, double);

#[test]
fn functions_can_come_out_of_macros() {
    assert_eq!(run(doubled_twice, 3).value(), 12);
}

#[durable_execution]
async fn made_earlier() -> Result<u32, Error> {
    let _never_awaited = double(0);
    let later = double(1);
    let first = step!("first", { Ok::<_, Error>(1) }).await?;
    Ok(first + later.await?)
}

#[test]
fn an_operation_happens_where_it_is_awaited_and_not_where_it_is_made() {
    let ended = run(made_earlier, ());
    let names: Vec<_> = ended.operations.iter().filter_map(|operation| operation.name.as_deref()).collect();
    assert_eq!(names, ["first", "double"]);
    assert_eq!(ended.value(), 3);
}

#[durable_step]
async fn spawns() -> Result<u32, Error> {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let task = tokio::spawn(async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        3
    });
    Ok(task.await?)
}

#[durable_execution]
async fn spawning() -> Result<u32, Error> {
    let (spawned, ()) = join!(spawns(), async { wait(Duration::from_secs(1)).await }).await;
    spawned
}

#[test]
fn a_step_may_spawn_yield_and_wait_for_whatever_it_likes() {
    assert_eq!(run(spawning, ()).value(), 3);
}
