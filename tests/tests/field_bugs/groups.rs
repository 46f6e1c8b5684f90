//! Maps and branches: results that survive replay, identities that depend on nothing but the code.

use std::time::Duration;

use cross_tests::{
    journal::note,
    runs::{finish, run},
};
use durable_engine::PageLimit;
use durable_runtime::{CompletionReason, prelude::*};
use durable_testing::{TestEngine, virtual_time};

#[durable_step(retry(none))]
async fn part(n: u64) -> Result<String, Error> {
    note(format!("part {n}"));
    tokio::time::sleep(Duration::from_secs(n)).await;
    if n % 3 == 2 {
        Err(Error::of_kind("Odd", format!("part {n}")))
    } else {
        Ok(format!("{n} ").repeat(40_000))
    }
}

/// What one look at a batch shows: index, status, length or error of each item, and the reason.
fn shape(batch: &Batch<String, Error>) -> String {
    let item = |item: &durable_runtime::BatchItem<String, Error>| {
        let length = item.result.as_ref().map(String::len);
        format!("{} {:?} {length:?} {:?}", item.index, item.status, item.error)
    };
    let items: Vec<_> = batch.all.iter().map(item).collect();
    format!("{items:?} {:?}", batch.completion_reason)
}

#[durable_execution]
async fn large_map(input: (bool, Option<usize>)) -> Result<Vec<String>, Error> {
    let (flat, min) = input;
    let mut group = map(1..8, part).all_settled();
    if flat {
        group = group.flat();
    }
    if let Some(min) = min {
        group = group.min_successful(min);
    }
    let batch = group.outcome().await;
    note(format!("look {}", shape(&batch)));
    wait(Duration::from_secs(60)).await;
    wait(Duration::from_secs(60)).await;
    Ok(vec![shape(&batch), format!("{:?}", batch.completion_reason)])
}

/// F7: a map's result is too large for its record, nested and flat, complete and ended early.
#[test]
fn a_large_maps_result_is_the_same_after_replay_in_every_mode() {
    for flat in [false, true] {
        for (min, reason) in
            [(None, CompletionReason::AllCompleted), (Some(4), CompletionReason::MinSuccessfulReached)]
        {
            let ended = run(large_map, (flat, min));
            let looks: Vec<_> = ended.notes.iter().filter(|note| note.starts_with("look")).cloned().collect();
            assert_eq!(looks.len(), 3, "flat {flat}, min {min:?}");
            assert!(looks.iter().all(|look| *look == looks[0]), "flat {flat}, min {min:?}: {looks:#?}");
            assert!(looks[0].contains("Odd"), "{}", looks[0]);
            for n in 1..8 {
                assert_eq!(ended.noted(&format!("part {n}")), 1, "flat {flat}, min {min:?}: part {n}");
            }
            assert_eq!(ended.value()[1], format!("{reason:?}"));
        }
    }
}

#[durable_execution]
async fn small_map() -> Result<Vec<u64>, Error> {
    let values = map(0..5, |n| async move {
        let value = step!("value", {
            note(format!("value {n}"));
            Ok::<_, Error>(n * 2)
        })
        .await?;
        wait(Duration::from_secs(1)).await;
        Ok::<_, Error>(value)
    })
    .await?;
    wait(Duration::from_secs(60)).await;
    Ok(values)
}

/// F8: the service leaves the children of a finished context out of later states.
#[test]
fn a_finished_map_is_replayed_without_its_children() {
    for items in [1, 3, 1000] {
        virtual_time(async {
            let test = TestEngine::with_state_page(PageLimit { bytes: usize::MAX, operations: items });
            let run = test.start(small_map, ()).await;
            let ended = finish(&test, &run).await;
            assert_eq!(ended.notes.len(), 5);
            assert_eq!(ended.value(), [0, 2, 4, 6, 8]);
        });
    }
}

#[durable_execution]
async fn minimum() -> Result<Vec<u64>, Error> {
    let batch = map([1, 30, 3, 40], |seconds: u64| async move {
        let value = step!("begin", {
            note(format!("begin {seconds}"));
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            note(format!("end {seconds}"));
            Ok::<_, Error>(seconds)
        })
        .await?;
        step!("after", {
            note(format!("after {seconds}"));
        })
        .await;
        Ok::<_, Error>(value)
    })
    .min_successful(2)
    .outcome()
    .await;
    let values: Vec<u64> = batch.succeeded().copied().collect();
    step!("long after", {
        tokio::time::sleep(Duration::from_secs(100)).await;
    })
    .await;
    wait(Duration::from_secs(1)).await;
    Ok(values)
}

/// F13: the minimum of successes is reached while branches are in flight.
#[test]
fn branches_that_were_cancelled_never_checkpoint_again() {
    let ended = run(minimum, ());
    for seconds in [30, 40] {
        assert_eq!(
            (ended.noted(&format!("begin {seconds}")), ended.noted(&format!("end {seconds}"))),
            (1, 0)
        );
    }
    let open: Vec<_> = ended.operations.iter().filter(|operation| !operation.status.is_terminal()).collect();
    // The contexts of the two, and their running steps.
    assert_eq!(open.len(), 4, "{open:#?}");
    assert_eq!(ended.value(), [1, 3]);
}

#[durable_step]
async fn named(label: &str) -> Result<String, Error> {
    note(label);
    Ok(label.to_owned())
}

#[durable_execution]
async fn side_by_side() -> Result<Vec<String>, Error> {
    let item = |kind: &'static str| {
        move |n: u32| async move {
            let label = named(&format!("{kind}{n}")).await?;
            wait(Duration::from_secs(u64::from(n % 2) + 1)).await;
            Ok::<_, Error>(label + &named(&format!("{kind}{n}!")).await?)
        }
    };
    let (left, right, single) = join!(map(0..4, item("l")), map(0..4, item("r")), async {
        let first = named("s").await?;
        wait(Duration::from_secs(1)).await;
        Ok::<_, Error>(vec![first, named("s!").await?])
    })
    .await;
    Ok([left?, right?, single?].concat())
}

/// F18, F20: maps beside each other and beside steps, all of the same names.
#[test]
fn maps_and_branches_side_by_side_never_take_each_others_place() {
    let ended = run(side_by_side, ());
    let mut notes = ended.notes.clone();
    notes.sort();
    notes.dedup();
    assert_eq!((notes.len(), ended.notes.len()), (18, 18));
    assert_eq!(
        ended.value(),
        ["l0l0!", "l1l1!", "l2l2!", "l3l3!", "r0r0!", "r1r1!", "r2r2!", "r3r3!", "s", "s!"]
    );
}

#[durable_execution]
async fn same_names() -> Result<(String, String), Error> {
    let (a, b) = join!(
        async {
            wait(Duration::from_secs(2)).await;
            named("a").await
        },
        async {
            wait(Duration::from_secs(1)).await;
            named("b").await
        },
    )
    .await;
    wait(Duration::from_secs(1)).await;
    Ok((a?, b?))
}

/// F20: blocks under a join with operations of the same name, which end in another order than they began.
#[test]
fn blocks_with_operations_of_the_same_name_keep_their_own_values() {
    assert_eq!(run(same_names, ()).value(), ("a".to_owned(), "b".to_owned()));
}

#[durable_execution]
async fn logs_beside_waits() -> Result<Vec<bool>, Error> {
    let (early, late) = join!(
        async {
            wait(Duration::from_secs(1)).await;
            is_replaying()
        },
        async {
            wait(Duration::from_secs(5)).await;
            is_replaying()
        },
    )
    .await;
    Ok(vec![early, late])
}

/// F15: replay is known for each context.
#[test]
fn a_branch_that_goes_on_is_not_replaying_while_another_one_waits() {
    assert_eq!(run(logs_beside_waits, ()).value(), [false, false]);
}
