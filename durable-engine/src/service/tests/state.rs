//! What an invocation is shown.

use durable_runtime::protocol::{ContextOptions, OperationType as Type, OperationUpdate};

use super::*;
use crate::service::Loaded;

fn ids(operations: &[Operation]) -> Vec<&str> {
    operations.iter().map(|operation| operation.id.as_str()).collect()
}

fn finished(id: &str, replay_children: bool) -> OperationUpdate {
    OperationUpdate {
        context_options: Some(ContextOptions { replay_children }),
        ..succeed(id, Type::Context, "1")
    }
}

/// A finished context with a nested one, one that is rebuilt from its children, and one that is open.
fn nested() -> Script {
    let mut script = Script::begun();
    script.checkpoint(vec![
        start("plain", Type::Context),
        inside("plain", start("nested", Type::Context)),
        inside("nested", succeed("deep", Type::Step, "1")),
        inside("plain", finished("nested", true)),
        finished("plain", false),
        start("rebuilt", Type::Context),
        inside("rebuilt", succeed("item", Type::Step, "1")),
        finished("rebuilt", true),
        start("open", Type::Context),
        inside("open", succeed("done", Type::Step, "1")),
        wait("w", 1),
    ]);
    script
}

#[test]
fn the_execution_comes_first_and_children_of_finished_contexts_are_left_out() {
    let mut script = nested();
    script.suspend();
    script.after(1).fire();
    let input = script.begin();
    let operations = &input.initial_execution_state.operations;
    let own_id = input.durable_execution_arn.rsplit('/').next().unwrap();
    assert_eq!(ids(operations), [own_id, "plain", "rebuilt", "item", "open", "done", "w"]);
    assert_eq!(input.initial_execution_state.next_marker, None);
    let root = serde_json::to_value(&operations[0]).unwrap();
    assert_eq!((&root["Type"], &root["Status"]), (&"EXECUTION".into(), &"STARTED".into()));
    assert_eq!(root["ExecutionDetails"]["InputPayload"], "{}");
}

#[test]
fn pages_put_together_are_the_whole_state_wherever_they_are_cut() {
    let script = nested();
    let whole = script.execution.state_page(&script.token, "", PageLimit::NONE).unwrap();
    for operations in 1..=whole.operations.len() {
        for bytes in [1, usize::MAX] {
            let limit = PageLimit { operations, bytes };
            let mut page = script.execution.state_page(&script.token, "", limit).unwrap();
            let mut all = page.operations.clone();
            while let Some(marker) = page.marker() {
                page = script.execution.state_page(&script.token, marker, limit).unwrap();
                assert!(!page.operations.is_empty(), "every page makes progress");
                all.extend(page.operations.clone());
            }
            assert_eq!(all, whole.operations);
        }
    }
    for bad in ["x", "-1", "99"] {
        let refused = script.execution.state_page(&script.token, bad, PageLimit::NONE).unwrap_err();
        assert_eq!(refused.to_string(), "Invalid marker");
    }
    let stale = script.execution.state_page("x", "", PageLimit::NONE).unwrap_err();
    assert!(stale.to_string().starts_with("Invalid Checkpoint Token"));
}

#[test]
fn a_loaded_execution_goes_on_like_the_one_that_was_stored() {
    let mut script = nested();
    script.suspend();
    let loaded = Loaded {
        record: script.execution.record().clone(),
        operations: script.execution.operations().to_vec(),
        callback_timers: Vec::new(),
        last_event_id: script.events.len() as u64,
    };
    script.execution = Execution::load(loaded);
    script.after(1).fire();
    let input = script.begin();
    assert_eq!(input.updated_operation_ids, [OperationId::new("w")]);
    script.finish(Ok(InvocationOutput::Succeeded { result: None }));
    assert_eq!(
        script.events()[script.events.len() - 3..],
        ["WaitSucceeded", "InvocationCompleted", "ExecutionSucceeded"]
    );
}
