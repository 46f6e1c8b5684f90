//! Recorded histories against changed code: the operation and the kind of change.

mod versions;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use durable_runtime::{Root, prelude::*};
use durable_testing::{
    Answer, Change, Divergence, Position, ReplayOutcome, TestEngine, assert_replays, replay, take_effects,
    virtual_time,
};
use serde_json::Value;

use self::versions::charge;

/// The history of `function`, at its end or while it waits for its approval.
fn history<F>(function: F, ends: bool) -> String
where
    F: Root<(u32,), Input = u32, Output = Result<String, Error>> + Clone,
{
    virtual_time(async {
        let test = TestEngine::new();
        if ends {
            test.on_callback("approval", |_| Answer::success(true).after("1h"));
        }
        let run = test.start(function, 7).await;
        if ends {
            run.result().await.unwrap();
        } else {
            run.world().callback("approval").await;
        }
        run.export().await
    })
}

fn divergence(history: &str, function: impl Root<(u32,)>) -> Divergence {
    match replay(history, function) {
        ReplayOutcome::Diverges(divergence) => *divergence,
        ReplayOutcome::Matches(replayed) => panic!("no divergence was found: {replayed:?}"),
    }
}

/// The histories of a finished execution and of one that waits.
fn both() -> [String; 2] {
    [history(versions::recorded, true), history(versions::recorded, false)]
}

#[test]
fn what_did_not_change_matches_and_nothing_happens() {
    let [finished, waiting] = both();
    let _before = take_effects();
    let ReplayOutcome::Matches(replayed) = replay(&finished, versions::recorded) else { panic!() };
    assert_eq!(
        (replayed.operations, replayed.position),
        (4, Position::Returned(Some("\"parcel 7\"".into())))
    );
    let ReplayOutcome::Matches(replayed) = replay(&waiting, versions::recorded) else { panic!() };
    assert_eq!((replayed.operations, replayed.position), (3, Position::Waiting));
    assert_replays(&finished, versions::other_code_same_operations);
    assert_replays(&waiting, versions::other_code_same_operations);
    assert_eq!(take_effects(), []);
}

#[test]
fn an_inserted_operation() {
    for history in both() {
        for (function, name) in [
            (replay(&history, versions::inserted), Some("check")),
            (replay(&history, versions::inserted_wait), None),
        ] {
            let ReplayOutcome::Diverges(found) = function else { panic!("{name:?}") };
            assert_eq!(found.operation.name.as_deref(), name);
            let Change::Inserted { before: Some(before) } = &found.change else { panic!("{found}") };
            assert_eq!((before.name.as_deref(), before.position), (Some("charge"), Some(2)));
        }
    }
    let text = divergence(&both()[0], versions::inserted).to_string();
    assert!(
        text.starts_with(
            "inserted: the code asks for step `check`, which the history does not have, and does not reach \
             step `charge`, operation 2 of the history; put"
        ),
        "{text}"
    );
}

#[test]
fn an_operation_after_the_end_of_a_finished_execution() {
    let [finished, waiting] = both();
    let found = divergence(&finished, versions::inserted_last);
    assert_eq!(found.operation.name.as_deref(), Some("check"));
    assert_eq!(found.change, Change::Inserted { before: None });
    // One that has not come so far does not notice.
    assert_replays(&waiting, versions::inserted_last);
}

#[test]
fn a_removed_operation() {
    for history in both() {
        let found = divergence(&history, versions::removed);
        assert_eq!((found.operation.name.as_deref(), &found.change), (Some("reserve"), &Change::Removed));
        let text = found.to_string();
        assert!(
            text.starts_with("removed: the history has step `reserve`, operation 1 of the history,"),
            "{text}"
        );
    }
}

#[test]
fn a_reordered_operation() {
    for history in both() {
        let found = divergence(&history, versions::reordered);
        assert_eq!(found.operation.name.as_deref(), Some("reserve"));
        let Change::Reordered { after } = &found.change else { panic!("{found}") };
        assert_eq!(after.name.as_deref(), Some("charge"));
    }
}

#[test]
fn a_renamed_operation() {
    for history in both() {
        let found = divergence(&history, versions::renamed);
        assert_eq!(found.operation.name.as_deref(), Some("charge"));
        let Change::Renamed { to } = &found.change else { panic!("{found}") };
        assert_eq!(to.name.as_deref(), Some("bill"));
        assert!(found.to_string().contains("`#[durable_step(name = \"charge\")]`"), "{found}");
    }
}

#[test]
fn a_retyped_operation() {
    for history in both() {
        let found = divergence(&history, versions::retyped);
        assert_eq!(found.operation.to_string(), "callback `approval`, operation 3 of the history");
        let Change::Retyped { to } = &found.change else { panic!("{found}") };
        assert_eq!(to.to_string(), "invoke `approval`");
    }
}

#[test]
fn a_result_of_another_type() {
    for history in both() {
        let found = divergence(&history, versions::unreadable);
        assert_eq!(found.operation.name.as_deref(), Some("charge"));
        let Change::Unreadable { why } = &found.change else { panic!("{found}") };
        assert!(why.contains("u64"), "{why}");
    }
}

#[test]
fn the_assertion_says_all_of_it() {
    let history = history(versions::recorded, true);
    let panic = catch_unwind(AssertUnwindSafe(|| assert_replays(&history, versions::removed))).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.starts_with("`removed` no longer fits a recorded history\nremoved: the history has step"),
        "{message}"
    );
}

/// Rewrites timestamps as `aws lambda get-durable-execution-history` prints them, and leaves out what it may.
fn as_exported(history: &str, moment: fn(i64) -> Value) -> String {
    fn rewrite(name: &str, value: &mut Value, moment: fn(i64) -> Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, value| name != "Truncated" || *value != Value::Bool(false));
                members.iter_mut().for_each(|(name, value)| rewrite(name, value, moment));
            }
            Value::Array(values) => values.iter_mut().for_each(|value| rewrite(name, value, moment)),
            Value::Number(number) if name.ends_with("Timestamp") => *value = moment(number.as_i64().unwrap()),
            _ => {}
        }
    }
    let mut history: Value = serde_json::from_str(history).unwrap();
    rewrite("", &mut history, moment);
    history.to_string()
}

#[test]
fn every_form_of_export_is_read() {
    let seconds = |millis: i64| Value::from(millis as f64 / 1000.0);
    let text = |millis: i64| {
        let utc = durable_runtime::Timestamp::from_millis(millis).to_string();
        Value::from(utc.replace('Z', "000+00:00"))
    };
    for history in both() {
        for exported in [as_exported(&history, seconds), as_exported(&history, text)] {
            assert_replays(&exported, versions::recorded);
            assert_eq!(divergence(&exported, versions::removed), divergence(&history, versions::removed));
            let events = serde_json::from_str::<Value>(&exported).unwrap()["Events"].to_string();
            assert_replays(&events, versions::recorded);
        }
    }
}

#[test]
fn what_is_no_whole_history_is_refused() {
    let history = history(versions::recorded, true);
    let refused = |text: String| {
        let panic = catch_unwind(AssertUnwindSafe(|| replay(&text, versions::recorded))).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap()
    };
    assert!(refused("{".into()).contains("it is not JSON"));
    assert!(refused("{}".into()).contains("it has no `Events`"));
    assert!(refused(history.replacen("{", "{\"NextMarker\": \"2\",", 1)).contains("export all pages"));
    assert!(
        refused(history.replacen("\"Truncated\": false", "\"Truncated\": true", 1))
            .contains("--include-execution-data")
    );
    assert!(
        refused(history.replacen("StepStarted\"", "StepDanced\"", 1)).contains("(StepDanced) can't be read")
    );
}

#[durable_step]
async fn pick(item: u32) -> Result<u32, Error> {
    tokio::time::sleep(Duration::from_secs(u64::from(10 - item))).await;
    Ok(item)
}

#[durable_execution]
async fn pack(order: u32) -> Result<u32, Error> {
    pick(order).await?;
    wait(Duration::from_secs(5)).await;
    pick(order).await
}

#[durable_execution]
async fn wide(order: u32) -> Result<String, Error> {
    let (packed, receipt, raced) = try_join!(map(0..order, pack).max_concurrency(3), charge(order), async {
        let winner = race!(pick(1), async {
            wait(Duration::from_secs(2)).await;
            Ok::<_, Error>(2)
        })
        .await?;
        pick(winner).await
    },)
    .await?;
    let _: bool = callback("approval").create().await.result().await?;
    Ok(format!("{packed:?} {} {raced}", receipt.cents))
}

#[test]
fn concurrent_branches_match_however_their_operations_are_mixed() {
    for ends in [true, false] {
        let history = history(wide, ends);
        assert_replays(&history, wide);
        // Every moment of a recording is one, too.
        let events = serde_json::from_str::<Value>(&history).unwrap()["Events"].as_array().unwrap().clone();
        for length in 1..events.len() {
            assert_replays(&Value::from(events[..length].to_vec()).to_string(), wide);
        }
    }
}
