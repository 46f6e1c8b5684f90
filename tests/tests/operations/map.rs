//! `map` and `parallel`: completion rules, order, names, keys, limits.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use cross_tests::{journal::note, runs::run};
use durable_runtime::{
    BatchItem, CompletionReason, ItemStatus,
    prelude::*,
    protocol::{OperationStatus, OperationType},
    serdes::{Serdes, SerdesError},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Broken {
    item: u32,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {} is broken", self.item)
    }
}

/// Takes `item` seconds; items from 100 fail.
#[durable_step(retry(none))]
async fn work(item: u32) -> Result<u32, Broken> {
    note(format!("begin {item}"));
    tokio::time::sleep(Duration::from_secs(u64::from(item % 100))).await;
    note(format!("end {item}"));
    if item < 100 { Ok(item * 10) } else { Err(Broken { item }) }
}

#[durable_execution]
async fn plain(items: Vec<u32>) -> Result<Vec<u32>, Broken> {
    map(items, work).await
}

#[test]
fn values_come_in_the_order_of_the_items() {
    let ended = run(plain, vec![3, 1, 2]);
    assert_eq!(ended.elapsed, Duration::from_secs(3));
    assert_eq!(ended.value(), [30, 10, 20]);
}

#[test]
fn a_map_over_nothing_is_over_at_once() {
    let ended = run(plain, Vec::new());
    assert_eq!(ended.of_type(OperationType::Context)[0].status, OperationStatus::Succeeded);
    assert_eq!(ended.value(), [] as [u32; 0]);
}

#[test]
fn the_first_failure_ends_the_map_and_cancels_the_rest_silently() {
    let ended = run(plain, vec![5, 101, 3]);
    assert_eq!(ended.elapsed, Duration::from_secs(1));
    assert_eq!((ended.noted("begin 5"), ended.noted("end 5"), ended.noted("end 3")), (1, 0, 0));
    assert_eq!(ended.failure(), Broken { item: 101 });
}

/// Index, status, value and error of each item that was started, and the reason.
type Table = (Vec<(usize, ItemStatus, Option<u32>, Option<Broken>)>, CompletionReason);

fn table(batch: Batch<u32, Broken>) -> Table {
    let items = batch.all.into_iter().map(|item| (item.index, item.status, item.result, item.error));
    (items.collect(), batch.completion_reason)
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Rule {
    Default,
    MinSuccessful(usize),
    Tolerated(usize),
    Percentage(f64),
    AllSettled,
}

#[durable_execution]
async fn by_rule(input: (Vec<u32>, Rule)) -> Result<Table, Error> {
    let (items, rule) = input;
    let group = map(items, work);
    let group = match rule {
        Rule::Default => group,
        Rule::MinSuccessful(min) => group.min_successful(min),
        Rule::Tolerated(failures) => group.tolerated_failures(failures),
        Rule::Percentage(percentage) => group.tolerated_failure_percentage(percentage),
        Rule::AllSettled => group.all_settled(),
    };
    let batch = group.outcome().await;
    note(format!("{batch:?}"));
    wait(Duration::from_secs(100)).await;
    Ok(table(batch))
}

#[test]
fn each_completion_rule_decides_when_it_is_over_and_a_replay_sees_the_same() {
    use CompletionReason::{AllCompleted, FailureToleranceExceeded, MinSuccessfulReached};
    use ItemStatus::{Failed as F, Started as R, Succeeded as S};
    let cases = [
        (vec![1, 102, 3], Rule::Default, vec![S, F, R], FailureToleranceExceeded, 2),
        (vec![1, 2, 3], Rule::Default, vec![S, S, S], AllCompleted, 3),
        (vec![1, 102, 3, 4], Rule::MinSuccessful(2), vec![S, F, S, R], MinSuccessfulReached, 3),
        (vec![101, 102, 3], Rule::MinSuccessful(2), vec![F, F, S], AllCompleted, 3),
        (vec![101, 2, 103, 4], Rule::Tolerated(1), vec![F, S, F, R], FailureToleranceExceeded, 3),
        (vec![101, 2, 3], Rule::Tolerated(1), vec![F, S, S], AllCompleted, 3),
        (vec![101, 102, 3, 4], Rule::Percentage(25.0), vec![F, F, R, R], FailureToleranceExceeded, 2),
        (vec![101, 2, 3, 4], Rule::Percentage(25.0), vec![F, S, S, S], AllCompleted, 4),
        (vec![101, 102, 103], Rule::AllSettled, vec![F, F, F], AllCompleted, 3),
    ];
    for (items, rule, statuses, reason, seconds) in cases {
        let ended = run(by_rule, (items.clone(), rule));
        assert_eq!(ended.elapsed, Duration::from_secs(seconds + 100), "{items:?} {rule:?}");
        let looks: Vec<_> = ended.notes.iter().filter(|note| note.starts_with("Batch")).cloned().collect();
        assert_eq!(looks.len(), 2, "{items:?} {rule:?}");
        assert_eq!(looks[0], looks[1], "{items:?} {rule:?}");
        let (table, why) = ended.value();
        assert_eq!(why, reason, "{items:?} {rule:?}");
        assert_eq!(table.iter().map(|item| item.1).collect::<Vec<_>>(), statuses, "{items:?} {rule:?}");
        for (index, status, value, error) in table {
            let item = items[index];
            assert_eq!(value, (status == S).then_some(item * 10), "{items:?} {rule:?}");
            assert_eq!(error, (status == F).then_some(Broken { item }), "{items:?} {rule:?}");
        }
    }
}

#[durable_execution]
async fn wrong_rule(min: usize) -> Result<Vec<u32>, Broken> {
    map([1, 2], work).named("prices").min_successful(min).await
}

#[test]
fn a_rule_that_can_never_hold_fails_the_execution_before_anything_begins() {
    for min in [0, 3] {
        let ended = run(wrong_rule, min);
        assert_eq!(ended.error().kind(), Some("ValidationError"));
        assert!(ended.error().message().contains("`prices`"), "{}", ended.error());
        assert_eq!((ended.notes.len(), ended.operations.len()), (0, 0));
    }
}

#[durable_execution]
async fn one_slot() -> Result<Vec<u32>, Broken> {
    map([1, 2, 3], work).max_concurrency(1).await
}

#[durable_execution]
async fn two_slots() -> Result<Vec<u32>, Broken> {
    map([5, 1, 2, 3], work).max_concurrency(2).await
}

#[test]
fn at_most_as_many_items_run_as_allowed_in_the_order_of_the_items() {
    let ended = run(one_slot, ());
    assert_eq!(ended.notes, ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
    let ended = run(two_slots, ());
    assert_eq!(ended.notes, ["begin 5", "begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 5", "end 3"]);
    assert_eq!(ended.value(), [50, 10, 20, 30]);
}

#[durable_execution]
async fn waits_in_a_slot(n: u64) -> Result<u64, Broken> {
    wait(Duration::from_secs(10)).await;
    Ok(n)
}

#[durable_execution]
async fn waits_in_two_slots() -> Result<Vec<u64>, Broken> {
    map(0..6, waits_in_a_slot).max_concurrency(2).await
}

#[test]
fn an_item_that_waits_keeps_its_place() {
    assert_eq!(run(waits_in_two_slots, ()).elapsed, Duration::from_secs(30));
}

static LIFE: AtomicUsize = AtomicUsize::new(0);

/// Its items come in another order each time it is replayed, as from a hash container.
#[durable_execution]
async fn shuffled() -> Result<Vec<u32>, Broken> {
    let mut items = vec![1, 2, 3];
    items.rotate_left(nondeterministic!(LIFE.fetch_add(1, Ordering::Relaxed)) % 3);
    map(items, |item| async move {
        let value = work(item).await?;
        wait(Duration::from_secs(10)).await;
        Ok::<_, Broken>(value)
    })
    .key_by(|item| *item)
    .item_name(|_, item| format!("item {item}"))
    .await
}

#[test]
fn items_with_keys_are_found_again_in_any_order() {
    let ended = run(shuffled, ());
    assert!(ended.invocations > 1);
    for item in 1..=3 {
        assert_eq!(ended.noted(&format!("begin {item}")), 1);
        assert_eq!(ended.named(&format!("item {item}")).status, OperationStatus::Succeeded);
    }
    let mut values = ended.value();
    values.sort_unstable();
    assert_eq!(values, [10, 20, 30]);
}

#[durable_execution]
async fn same_key() -> Result<Vec<u32>, Broken> {
    map([1, 2, 3], work).named("prices").key_by(|item| item % 2).await
}

#[test]
fn a_key_that_comes_twice_fails_the_execution() {
    let ended = run(same_key, ());
    for part in ["`prices`", "`1`"] {
        assert!(ended.error().message().contains(part), "{part} in {}", ended.error());
    }
}

#[durable_execution]
async fn names() -> Result<(), Broken> {
    map([1], work).named("prices").item_name(|index, item| format!("{item} at {index}")).await?;
    map([1, 2], work).await?;
    parallel([work(1), work(2)]).named("both").await?;
    Ok(())
}

#[test]
fn groups_and_items_have_names() {
    let ended = run(names, ());
    for (name, sub_type) in [
        ("prices", "Map"),
        ("1 at 0", "MapIteration"),
        ("map-item-1", "MapIteration"),
        ("both", "Parallel"),
        ("parallel-branch-0", "ParallelBranch"),
    ] {
        assert_eq!(ended.named(name).sub_type.as_deref(), Some(sub_type));
    }
}

#[durable_execution]
async fn flat(items: Vec<u32>) -> Result<Vec<u32>, Broken> {
    let values = map(items, |item| async move {
        let value = work(item).await?;
        wait(Duration::from_secs(10)).await;
        Ok::<_, Broken>(value)
    })
    .flat()
    .await?;
    wait(Duration::from_secs(10)).await;
    Ok(values)
}

#[test]
fn items_of_a_flat_map_have_no_context_of_their_own() {
    let ended = run(flat, vec![2, 1]);
    assert_eq!(ended.of_type(OperationType::Context).len(), 1);
    assert_eq!((ended.noted("begin 1"), ended.noted("begin 2")), (1, 1));
    assert_eq!(ended.value(), [20, 10]);
}

/// Writes a number as that many strokes.
struct Strokes;

impl Serdes<u32> for Strokes {
    fn serialize(value: &u32) -> Result<String, SerdesError> {
        Ok("|".repeat(*value as usize))
    }

    fn deserialize(text: &str) -> Result<u32, SerdesError> {
        u32::try_from(text.len()).map_err(|error| SerdesError(error.to_string()))
    }
}

#[durable_execution]
async fn in_strokes() -> Result<Vec<u32>, Broken> {
    map([1], work).item_name(|_, _| "strokes").item_serdes::<Strokes>().await
}

#[test]
fn an_items_value_is_stored_by_its_own_serdes() {
    let ended = run(in_strokes, ());
    let stored = ended.named("strokes").context_details.as_ref().and_then(|context| context.result.clone());
    assert_eq!(stored.unwrap().as_str(), "||||||||||");
    assert_eq!(ended.value(), [10]);
}

/// Stores how many there are, and gives that many zeros back.
struct OnlyTheCount;

impl Serdes<Batch<u32, Broken>> for OnlyTheCount {
    fn serialize(batch: &Batch<u32, Broken>) -> Result<String, SerdesError> {
        Ok(batch.all.len().to_string())
    }

    fn deserialize(text: &str) -> Result<Batch<u32, Broken>, SerdesError> {
        let count: usize = text.parse().map_err(|error| SerdesError(format!("{error}")))?;
        let item = |index| BatchItem { index, status: ItemStatus::Succeeded, result: Some(0), error: None };
        let all = (0..count).map(item).collect();
        Ok(Batch { all, completion_reason: CompletionReason::AllCompleted })
    }
}

#[durable_execution]
async fn only_counted() -> Result<Vec<u32>, Broken> {
    map([1, 2], work).serdes::<OnlyTheCount>().await
}

#[test]
fn the_whole_result_is_read_back_by_its_own_serdes_on_the_first_run_too() {
    assert_eq!(run(only_counted, ()).value(), [0, 0]);
}

#[durable_step]
async fn fill(letter: char) -> Result<String, Error> {
    note(format!("fill {letter}"));
    Ok(letter.to_string().repeat(100 * 1024))
}

#[durable_execution]
async fn large(flat: bool) -> Result<String, Error> {
    let group = map(['a', 'b', 'c', 'd'], fill);
    let texts = if flat { group.flat().await? } else { group.await? };
    wait(Duration::from_secs(1)).await;
    Ok(texts.iter().filter_map(|text| text.chars().last()).collect())
}

#[test]
fn a_result_too_large_for_its_record_is_rebuilt_from_the_items() {
    for flat in [false, true] {
        let ended = run(large, flat);
        assert_eq!(
            ended.of_type(OperationType::Context)[0]
                .context_details
                .as_ref()
                .and_then(|it| it.replay_children),
            Some(true)
        );
        assert_eq!(ended.notes.len(), 4);
        assert_eq!(ended.value(), "abcd");
    }
}

#[durable_execution]
async fn nested() -> Result<Vec<Vec<u32>>, Broken> {
    map(0..3, |row| async move {
        let cells = map(0..3, move |cell| work(row * 3 + cell)).await?;
        wait(Duration::from_secs(1)).await;
        Ok::<_, Broken>(cells)
    })
    .await
}

#[test]
fn maps_nest() {
    let ended = run(nested, ());
    assert_eq!(ended.notes.len(), 18);
    assert_eq!(ended.value(), [[0, 10, 20], [30, 40, 50], [60, 70, 80]]);
}
