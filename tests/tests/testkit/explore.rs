//! Orders of completion: all of a small workflow, a planted bug in a larger one, and exact replays.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    time::Duration,
};

use durable_runtime::{Root, prelude::*};
use durable_testing::{Answer, Explore, Survived, effect};

#[durable_step]
async fn act(label: String) -> Result<String, Error> {
    effect(label.clone());
    Ok(label)
}

#[durable_execution]
async fn branch((name, steps): (String, u32)) -> Result<(), Error> {
    for number in 1..=steps {
        act(format!("{name}{number}")).await?;
    }
    Ok(())
}

#[durable_execution]
async fn three_branches(steps: u32) -> Result<(), Error> {
    try_join!(branch(("a".into(), steps)), branch(("b".into(), steps)), branch(("c".into(), steps))).await?;
    Ok(())
}

fn order(run: &Survived) -> Vec<String> {
    run.effects.iter().map(|effect| effect.label.clone()).collect()
}

#[test]
fn a_small_workflow_is_run_in_all_orders() {
    let orders = Mutex::new(BTreeSet::new());
    let explored = Explore::new(three_branches, || 2).run(|run| {
        assert!(orders.lock().unwrap().insert(order(run)), "an order came twice");
    });
    // 6! / (2! 2! 2!)
    assert_eq!((explored.schedules, explored.exhaustive), (90, true));
    assert_eq!(orders.into_inner().unwrap().len(), 90);
    assert_eq!(explored.results.into_iter().collect::<Vec<_>>(), [("Ok(())".to_owned(), 90)]);
}

/// A planted bug: branch `c` reads twice what `a` and `b` change in between. There are 1,680 orders of the nine
/// steps, and 1 in 40 is wrong.
fn check(run: &Survived) {
    let order = order(run);
    let at = |label: &str| order.iter().position(|it| it == label).unwrap();
    let wrong = at("c1") < at("a2") && at("a2") < at("b2") && at("b3") < at("c2") && at("c3") < at("a3");
    assert!(!wrong, "the total is wrong");
}

fn failure<F: Root<(u32,), Input = u32, Output = Result<(), Error>> + Clone>(
    explore: &Explore<(u32,), F>,
) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| explore.run(check))).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap()
}

#[test]
fn a_planted_ordering_bug_is_found_within_a_thousand_schedules_and_replayed() {
    for seed in 0..3 {
        let found = failure(&Explore::new(three_branches, || 3).schedules(1_000).seed(seed));
        assert!(found.contains(": the total is wrong\nthe order was:\n  1. step `act`"), "{found}");
        let schedule = found.split('`').nth(1).unwrap().to_owned();
        assert!(found.ends_with(&format!("make this run alone with `.replay(\"{schedule}\")`")), "{found}");

        // The same seed finds the same one, on however many threads; and it fails alone in the same order.
        let again = failure(&Explore::new(three_branches, || 3).schedules(1_000).seed(seed).threads(1));
        assert_eq!(again, found);
        let alone = failure(&Explore::new(three_branches, || 3).replay(&schedule));
        let order = |message: &str| message.split_once("the order was").unwrap().1.to_owned();
        assert_eq!(order(&alone), order(&found));
    }
}

#[durable_step(retry(max_attempts = 3, initial_delay = "10s", jitter = none))]
async fn flaky() -> Result<u32, Error> {
    match step_attempt() {
        Some(attempt @ 2..) => Ok(attempt),
        _ => Err(Error::new("busy")),
    }
}

#[durable_execution]
async fn impatient() -> Result<u32, Error> {
    race!(flaky(), async {
        wait(Duration::from_secs(60)).await;
        Ok::<u32, Error>(100)
    })
    .await
}

#[test]
fn time_may_go_on_while_a_step_is_slow() {
    let explored = Explore::new(impatient, || ()).run(|_| {});
    assert!(explored.exhaustive);
    let results: Vec<&str> = explored.results.keys().map(String::as_str).collect();
    // In time at the second attempt, and too late.
    assert_eq!(results, ["Ok(100)", "Ok(2)"]);
}

#[durable_execution]
async fn first_of_three() -> Result<String, Error> {
    race!(
        async {
            callback::<u32>("approval").create().await.result().await?;
            Ok::<_, Error>("callback".to_owned())
        },
        async {
            invoke::<_, u32>("rates", &1).await?;
            Ok::<_, Error>("invoke".to_owned())
        },
        act("step".into()),
    )
    .await
}

#[test]
fn answers_from_outside_come_in_every_order_too() {
    let explored = Explore::new(first_of_three, || ())
        .prepare(|test| {
            test.on_callback("approval", |_| Answer::success(1));
            test.on_invoke("rates", |_: u32| Answer::success(2).after("1h"));
        })
        .run(|_| {});
    assert!(explored.exhaustive, "{explored:?}");
    let results: Vec<&str> = explored.results.keys().map(String::as_str).collect();
    assert_eq!(results, ["Ok(\"callback\")", "Ok(\"invoke\")", "Ok(\"step\")"]);
}

#[test]
fn a_large_workflow_is_sampled() {
    let orders = Mutex::new(BTreeSet::new());
    let explored = Explore::new(three_branches, || 5).schedules(300).run(|run| {
        orders.lock().unwrap().insert(order(run));
    });
    assert_eq!((explored.schedules, explored.exhaustive), (300, false));
    assert!(orders.into_inner().unwrap().len() > 280);
}
