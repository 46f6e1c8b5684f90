//! Every refusal and its words.

use durable_runtime::protocol::{
    ChainedInvokeOptions, OperationAction as Action, OperationType as Type, OperationUpdate, limits,
};

use super::*;

/// An execution with one operation of each kind and state that a refusal can depend on.
fn furnished() -> Script {
    let mut script = Script::begun();
    script.checkpoint(vec![
        start("started", Type::Step),
        start("closed", Type::Step),
        succeed("closed", Type::Step, "1"),
        retry("pending", 60),
        start("context", Type::Context),
        start("closed-context", Type::Context),
        fail("closed-context", Type::Context, "no"),
        wait("wait", 60),
        start("callback", Type::Callback),
        OperationUpdate {
            chained_invoke_options: Some(ChainedInvokeOptions {
                function_name: "known".into(),
                ..ChainedInvokeOptions::default()
            }),
            ..start("invoke", Type::ChainedInvoke)
        },
        OperationUpdate {
            name: Some("reserve".into()),
            sub_type: Some("Step".into()),
            ..inside("context", start("named", Type::Step))
        },
    ]);
    script
}

#[test]
fn each_invalid_update_is_refused_with_the_services_words() {
    let named = || inside("context", succeed("named", Type::Step, "1"));
    let both =
        OperationUpdate { payload: Some("1".into()), error: Some(ErrorObject::default()), ..retry("new", 1) };
    let with_payload = |kind| OperationUpdate { payload: Some("1".into()), ..fail("new", kind, "no") };
    let with_error =
        |kind| OperationUpdate { error: Some(ErrorObject::default()), ..succeed("new", kind, "1") };
    let large_error = fail("new", Type::Step, &"x".repeat(limits::ERROR_OBJECT));
    let large_result = succeed("new", Type::Step, &"x".repeat(limits::OPERATION_PAYLOAD + 1));
    let no_options =
        |update: OperationUpdate| OperationUpdate { step_options: None, wait_options: None, ..update };
    let cases: Vec<(Vec<OperationUpdate>, &str)> = vec![
        // (0) the API model
        (
            (0..251).map(|n| start(&format!("s{n}"), Type::Step)).collect(),
            "A checkpoint cannot contain more than 250 updates; this one has 251.",
        ),
        (
            vec![start("", Type::Step)],
            "Operation '': an operation id has 1 to 64 characters of [a-zA-Z0-9-_].",
        ),
        (
            vec![start("a b", Type::Step)],
            "Operation 'a b': an operation id has 1 to 64 characters of [a-zA-Z0-9-_].",
        ),
        (
            vec![OperationUpdate { sub_type: Some("a b".into()), ..start("new", Type::Step) }],
            "Operation 'new': a sub type has 1 to 32 characters of [a-zA-Z0-9-_].",
        ),
        (
            vec![OperationUpdate { name: Some("ü".into()), ..start("new", Type::Step) }],
            "Operation 'new': a name has 1 to 256 printable ASCII characters.",
        ),
        (vec![wait("new", 0)], "Operation 'new': WaitSeconds must be between 1 and 31622400."),
        (
            vec![retry("started", 31_622_401)],
            "Operation 'started': NextAttemptDelaySeconds must be between 1 and 31622400.",
        ),
        // (a) the execution
        (
            vec![succeed("a", Type::Execution, "1"), succeed("b", Type::Execution, "1")],
            "Cannot checkpoint multiple EXECUTION updates.",
        ),
        (
            vec![succeed("a", Type::Execution, "1"), start("new", Type::Step)],
            "EXECUTION checkpoint must be the last update.",
        ),
        // (b) duplicates and parents
        (
            vec![start("new", Type::Step), start("new", Type::Step)],
            "Cannot checkpoint multiple operations with the same ID.",
        ),
        (
            vec![wait("new", 1), update("new", Type::Wait, Action::Cancel)],
            "Cannot checkpoint multiple operations with the same ID.",
        ),
        (
            vec![start("new", Type::Step), retry("new", 1), succeed("new", Type::Step, "1")],
            "Cannot checkpoint multiple operations with the same ID.",
        ),
        (
            vec![succeed("started", Type::Step, "1"), fail("started", Type::Step, "no")],
            "Cannot checkpoint multiple operations with the same ID.",
        ),
        (vec![inside("nowhere", start("new", Type::Step))], "Invalid parent operation id."),
        (vec![inside("started", start("new", Type::Step))], "Invalid parent operation id."),
        (
            vec![inside("late", start("new", Type::Step)), start("late", Type::Context)],
            "Invalid parent operation id.",
        ),
        // (c) consistency
        (vec![succeed("started", Type::Context, "1")], "Inconsistent operation type."),
        (
            vec![OperationUpdate { sub_type: Some("Wait".into()), ..named() }],
            "Inconsistent operation subtype.",
        ),
        (vec![OperationUpdate { name: Some("other".into()), ..named() }], "Inconsistent operation name."),
        (
            vec![inside("closed-context", succeed("named", Type::Step, "1"))],
            "Inconsistent parent operation id.",
        ),
        // (c) sizes
        (vec![large_error], "Error object size must be less than 32768 bytes."),
        (
            vec![large_result],
            "Operation 'new': payload of 1048577 bytes is larger than the limit of 1048576 bytes.",
        ),
        // (c) actions
        (vec![start("new", Type::Unknown)], "Unknown operation type."),
        (vec![update("started", Type::Step, Action::Cancel)], "Invalid action for the given operation type."),
        (
            vec![update("context", Type::Context, Action::Retry)],
            "Invalid action for the given operation type.",
        ),
        (vec![succeed("wait", Type::Wait, "1")], "Invalid action for the given operation type."),
        (
            vec![update("callback", Type::Callback, Action::Cancel)],
            "Invalid action for the given operation type.",
        ),
        (vec![succeed("invoke", Type::ChainedInvoke, "1")], "Invalid action for the given operation type."),
        (vec![start("e", Type::Execution)], "Invalid action for the given operation type."),
        // (c) steps
        (vec![start("started", Type::Step)], "Invalid current STEP state to start."),
        (vec![start("pending", Type::Step)], "Invalid current STEP state to start."),
        (vec![start("closed", Type::Step)], "Invalid current STEP state to start."),
        (vec![succeed("pending", Type::Step, "1")], "Invalid current STEP state to close."),
        (vec![fail("closed", Type::Step, "no")], "Invalid current STEP state to close."),
        (vec![retry("pending", 1)], "Invalid current STEP state to re-attempt."),
        (vec![retry("closed", 1)], "Invalid current STEP state to re-attempt."),
        (vec![no_options(retry("started", 1))], "Invalid StepOptions for the given action."),
        (vec![both], "Cannot provide both error and payload to RETRY a STEP."),
        (vec![with_payload(Type::Step)], "Cannot provide a Payload for FAIL action."),
        (vec![with_error(Type::Step)], "Cannot provide an Error for SUCCEED action."),
        // (c) the others
        (vec![start("context", Type::Context)], "Cannot start a CONTEXT that already exist."),
        (vec![succeed("closed-context", Type::Context, "1")], "Invalid current CONTEXT state to close."),
        (vec![with_payload(Type::Context)], "Cannot provide a Payload for FAIL action."),
        (vec![with_error(Type::Context)], "Cannot provide an Error for SUCCEED action."),
        (vec![wait("wait", 1)], "Cannot start a WAIT that already exist."),
        (vec![no_options(wait("new", 1))], "Invalid WaitOptions for the given action."),
        (
            vec![update("new", Type::Wait, Action::Cancel)],
            "Cannot cancel a WAIT that does not exist or has already completed.",
        ),
        (vec![start("callback", Type::Callback)], "Cannot start a CALLBACK that already exist."),
        (vec![start("invoke", Type::ChainedInvoke)], "Cannot start an INVOKE that already exist."),
        (vec![start("new", Type::ChainedInvoke)], "Invalid ChainedInvokeOptions for the given action."),
        (
            vec![update("new", Type::ChainedInvoke, Action::Cancel)],
            "Cannot cancel an INVOKE that does not exist or has already completed.",
        ),
        (vec![with_payload(Type::Execution)], "Cannot provide a Payload for FAIL action."),
        (vec![with_error(Type::Execution)], "Cannot provide an Error for SUCCEED action."),
    ];
    let mut script = furnished();
    for (updates, message) in cases {
        let described = format!("{updates:?}").chars().take(300).collect::<String>();
        assert_eq!(script.refused(updates), message, "{described}");
    }
    // The token was not consumed by any of them, and a valid update behind an invalid one was not applied.
    let refused = script.refused(vec![start("good", Type::Step), start("started", Type::Step)]);
    assert_eq!(refused, "Invalid current STEP state to start.");
    script.checkpoint(vec![start("good", Type::Step)]);
}

#[test]
fn batches_that_the_sdks_send_are_accepted() {
    let mut script = Script::begun();
    script.checkpoint(vec![start("s", Type::Step), succeed("s", Type::Step, "1")]);
    script.checkpoint(vec![start("f", Type::Step), fail("f", Type::Step, "no")]);
    script.checkpoint(vec![start("r", Type::Step), retry("r", 1)]);
    script.checkpoint(vec![
        start("p", Type::Context),
        inside("p", start("c", Type::Context)),
        inside("c", start("cs", Type::Step)),
        inside("c", succeed("cs", Type::Step, "1")),
        inside("p", succeed("c", Type::Context, "1")),
        succeed("p", Type::Context, "1"),
    ]);
    // START may be skipped, and a batch may be empty.
    script.checkpoint(vec![succeed("skipped", Type::Step, "1"), fail("skipped-too", Type::Context, "no")]);
    assert!(script.checkpoint(Vec::new()).is_empty());
}

#[test]
fn tokens_rotate_and_stale_ones_are_refused_with_the_prefix_that_sdks_look_for() {
    let mut script = Script::begun();
    let first = script.token.clone();
    script.checkpoint(vec![wait("w", 1)]);
    let second = script.token.clone();
    assert_ne!(first, second);
    for stale in [first.as_str(), "nonsense", ""] {
        script.token = stale.to_owned();
        let message = script.refused(Vec::new());
        assert!(message.starts_with("Invalid Checkpoint Token"), "{message}");
    }
    script.token = second;
    script.suspend();
    assert!(script.refused(Vec::new()).starts_with("Invalid Checkpoint Token"), "the invocation is over");
    let zombie = script.token.clone();
    script.after(1).fire();
    script.begin();
    script.token = zombie;
    assert!(script.refused(Vec::new()).starts_with("Invalid Checkpoint Token"), "an earlier invocation");
}

#[test]
fn a_repeated_request_gets_the_same_answer_and_changes_nothing() {
    let mut script = Script::begun();
    let mut request = script.request(vec![start("s", Type::Step)]);
    request.client_token = Some("call-1".into());
    let first = script.send(request.clone()).unwrap();
    let events = script.events.len();
    let again = script.send(request.clone()).unwrap();
    assert_eq!(again.checkpoint_token, first.checkpoint_token);
    assert_eq!(again.new_execution_state, first.new_execution_state);
    assert_eq!(script.events.len(), events);
    // With another client token it is a stale token, and after the next checkpoint it is too old.
    let other = CheckpointRequest { client_token: Some("call-2".into()), ..request.clone() };
    assert!(script.send(other).is_err());
    script.checkpoint(Vec::new());
    assert!(script.send(request).is_err());
}

#[test]
fn an_execution_with_too_many_operations_fails_and_the_answer_has_no_token() {
    let mut script = Script::begun();
    for batch in 0..120 {
        let starts = (0..250).map(|n| start(&format!("s{batch}-{n}"), Type::Step));
        let count = if batch == 119 { 249 } else { 250 };
        script.checkpoint(starts.take(count).collect());
    }
    assert_eq!(script.execution.operations().len(), limits::OPERATIONS);
    let last = succeed("s0-0", Type::Step, "1");
    script.checkpoint(vec![last]);
    let request = script.request(vec![start("one-more", Type::Step)]);
    let response = script.send(request).unwrap();
    assert_eq!(response.checkpoint_token, None);
    assert_eq!(*script.events().last().unwrap(), "ExecutionFailed");
}
