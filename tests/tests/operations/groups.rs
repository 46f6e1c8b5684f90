//! `join!`, `try_join!`, `race!`, `select_ok!`.

use std::{fmt, time::Duration};

use cross_tests::{
    journal::note,
    runs::{run, run_in_world},
};
use durable_runtime::{prelude::*, protocol::OperationType};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Late(u64);

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s late", self.0)
    }
}

#[durable_step(retry(none))]
async fn takes(seconds: u64) -> Result<u64, Late> {
    note(format!("begin {seconds}"));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    note(format!("end {seconds}"));
    Ok(seconds)
}

#[durable_step(retry(none))]
async fn fails_after(seconds: u64) -> Result<u64, Late> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Err(Late(seconds))
}

#[durable_step]
async fn label() -> String {
    "label".to_owned()
}

#[durable_execution]
async fn joins() -> (Result<u64, Late>, Result<u64, Late>, String, ()) {
    let text = String::from("borrowed");
    join!(takes(2), fails_after(1), label(), async {
        wait(Duration::from_secs(text.len() as u64)).await;
    })
    .await
}

#[test]
fn a_join_gives_each_branchs_output_whatever_its_type() {
    let ended = run(joins, ());
    assert_eq!(ended.elapsed, Duration::from_secs(8));
    assert_eq!((ended.noted("begin 2"), ended.noted("end 2")), (1, 1));
    assert_eq!(ended.output.unwrap(), (Ok(2), Err(Late(1)), "label".to_owned(), ()));
}

#[durable_execution]
async fn named_join() -> Result<u64, Late> {
    let (left, right) = join!("assess"; stock = takes(1), risk = takes(2)).await;
    Ok(left? + right?)
}

#[test]
fn groups_and_branches_can_be_named() {
    let ended = run(named_join, ());
    for name in ["assess", "stock", "risk"] {
        assert_eq!(ended.named(name).operation_type, OperationType::Context);
    }
    assert_eq!(ended.value(), 3);
}

#[durable_execution]
async fn tries() -> Result<(u64, u64), Late> {
    try_join!(takes(5), async {
        wait(Duration::from_secs(1)).await;
        fails_after(1).await
    })
    .await
}

#[test]
fn a_try_join_ends_with_the_first_error_and_cancels_the_rest() {
    let ended = run(tries, ());
    assert_eq!((ended.elapsed, ended.noted("end 5")), (Duration::from_secs(2), 0));
    assert_eq!(ended.failure(), Late(1));
}

#[durable_execution]
async fn tries_happily() -> Result<(u64, u64), Late> {
    try_join!(takes(1), takes(2)).await
}

#[test]
fn a_try_join_gives_all_values() {
    assert_eq!(run(tries_happily, ()).value(), (1, 2));
}

#[durable_execution]
async fn races() -> Result<u64, Late> {
    let winner = race!(takes(9), takes(3), fails_after(5)).await;
    note(format!("winner {winner:?}"));
    wait(Duration::from_secs(60)).await;
    winner
}

#[test]
fn the_first_branch_that_ends_wins_the_race_on_replay_too() {
    let ended = run(races, ());
    assert_eq!(ended.noted("winner Ok(3)"), 2);
    assert_eq!((ended.noted("begin 9"), ended.noted("end 9")), (1, 0));
    assert_eq!((ended.elapsed, ended.value()), (Duration::from_secs(63), 3));
}

#[durable_execution]
async fn races_to_fail() -> Result<u64, Late> {
    race!(takes(9), fails_after(5)).await
}

#[test]
fn a_failure_can_win_the_race() {
    assert_eq!(run(races_to_fail, ()).failure(), Late(5));
}

#[durable_execution]
async fn in_time() -> Option<String> {
    race!(
        async {
            let answer: String = callback("answer").create().await.result().await.ok()?;
            Some(answer)
        },
        async {
            wait(Duration::from_secs(3600)).await;
            None
        },
    )
    .await
}

#[test]
fn a_race_against_a_wait_is_a_time_limit() {
    let ended = run(in_time, ());
    assert_eq!((ended.elapsed, ended.invocations), (Duration::from_secs(3600), 2));
    assert_eq!(ended.output.unwrap(), None);
    let ended = run_in_world(in_time, (), |world| async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        world.complete("answer", &"yes").await;
    });
    assert_eq!(ended.elapsed, Duration::from_secs(10));
    assert_eq!(ended.output.unwrap().as_deref(), Some("yes"));
}

#[durable_execution]
async fn selects(input: (u64, u64)) -> Result<u64, Late> {
    let (failing, working) = input;
    select_ok!(fails_after(failing), takes(working), takes(99)).await
}

#[durable_execution]
async fn selects_in_vain() -> Result<u64, Late> {
    select_ok!(fails_after(3), fails_after(1), fails_after(2)).await
}

#[test]
fn the_first_success_is_selected_whatever_failed_before() {
    let ended = run(selects, (1, 2));
    assert_eq!((ended.elapsed, ended.value()), (Duration::from_secs(2), 2));
}

#[test]
fn without_any_success_the_last_error_is_selected() {
    let ended = run(selects_in_vain, ());
    assert_eq!((ended.elapsed, ended.failure()), (Duration::from_secs(3), Late(2)));
}

#[durable_execution]
async fn parallel_sum(items: Vec<u64>) -> Result<u64, Late> {
    let values = parallel(items.iter().map(|seconds| takes(*seconds))).min_successful(2).await?;
    Ok(values.into_iter().sum())
}

#[test]
fn operations_of_one_type_run_in_parallel_under_the_rules_of_a_map() {
    let ended = run(parallel_sum, vec![4, 1, 2, 3]);
    assert_eq!((ended.elapsed, ended.value()), (Duration::from_secs(2), 3));
}

#[durable_execution]
async fn big_join() -> (usize, usize) {
    let (left, right) = join!(big('l'), big('r')).await;
    wait(Duration::from_secs(1)).await;
    (left.len(), right.len())
}

#[durable_step]
async fn big(letter: char) -> String {
    note(format!("big {letter}"));
    letter.to_string().repeat(200 * 1024)
}

#[test]
fn a_joins_result_too_large_for_its_record_is_rebuilt_from_the_branches() {
    let ended = run(big_join, ());
    assert_eq!(ended.notes.len(), 2);
    assert_eq!(ended.output.unwrap(), (200 * 1024, 200 * 1024));
}
