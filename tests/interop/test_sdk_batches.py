"""Functions of the official SDKs: map, parallel, and payloads above the limits."""

import json

from sdk import Host, Scenario, errors, only, payload

KIB = 1024
MIB = 1024 * KIB
#: The largest result that fits an invocation's answer; a larger one is checkpointed.
INLINE_RESULT = 6 * MIB - 50

MAPPED = Scenario("mapped", items=[1, 2, 3])
EMPTY = Scenario("mapped", items=[])
FIRST = Scenario("first_of_parallel")
TOLERANT = Scenario("tolerant_parallel")
LARGE_CHILD = Scenario("large_child", size=300 * KIB)
FLAT_MAP = Scenario("flat_map", size=100 * KIB)
LARGE_MAP = Scenario("large_map", size=100 * KIB)
# Without the quotes that JSON adds.
LARGEST_INLINE_RESULT = Scenario("large_result", size=INLINE_RESULT - 2)
CHECKPOINTED_RESULT = Scenario("large_result", size=INLINE_RESULT - 1)
# More than the five mebibytes of operations that an invocation begins with: the SDK fetches the rest.
LARGE_STATE = Scenario("large_state", steps=15, size=400_000)


def test_a_map_keeps_its_items_in_order(sdk: Host) -> None:
    run = sdk[MAPPED]
    assert run.result() == {"results": [2, 4, 6], "reason": "ALL_COMPLETED"}
    assert run.operation("doubles")["SubType"] == "Map"
    assert run.operation("map-item-0")["SubType"] == "MapIteration"
    assert sorted(run.shape("doubles")) == [
        *(f"ContextStarted map-item-{item}" for item in range(3)),
        *(f"ContextSucceeded map-item-{item}" for item in range(3)),
    ]
    for item, doubled in enumerate([2, 4, 6]):
        (succeeded,) = run.details("ContextSucceeded", f"map-item-{item}")
        assert payload(succeeded) == doubled
    assert run.shape("map-item-1") == [
        "StepStarted double",
        "StepSucceeded double",
        "WaitStarted pause",
        "WaitSucceeded pause",
    ]
    assert run.shape()[-3:] == ["ContextSucceeded doubles", "WaitStarted pause", "WaitSucceeded pause"]


def test_a_map_of_nothing_succeeds(sdk: Host) -> None:
    run = sdk[EMPTY]
    assert run.result() == {"results": [], "reason": "ALL_COMPLETED"}
    assert run.shape() == [
        "ContextStarted doubles",
        "ContextSucceeded doubles",
        "WaitStarted pause",
        "WaitSucceeded pause",
    ]


def test_a_parallel_ends_with_its_first_success(sdk: Host) -> None:
    run = sdk[FIRST]
    expected = {"results": ["fast"], "reason": "MIN_SUCCESSFUL_REACHED", "statuses": ["STARTED", "SUCCEEDED"]}
    assert run.result() == expected, "as recorded: the wait after it made another invocation"
    shape = run.shape()
    assert shape[0] == "ContextStarted race"
    assert shape[-3:] == ["ContextSucceeded race", "WaitStarted pause", "WaitSucceeded pause"]
    assert "WaitSucceeded an hour" not in shape
    assert shape.count("StepSucceeded fast") == 1
    assert run.operation("race")["SubType"] == "Parallel"
    assert run.operation("parallel-branch-1")["SubType"] == "ParallelBranch"
    assert run.shape("parallel-branch-0") == ["WaitStarted an hour"]
    assert run.shape("parallel-branch-1") == ["StepStarted fast", "StepSucceeded fast"]


def test_a_parallel_tolerates_failures_and_keeps_their_errors(sdk: Host) -> None:
    run = sdk[TOLERANT]
    result = run.result()
    assert (result["results"], result["reason"]) == ([0, 2], "ALL_COMPLETED")
    # What an SDK calls the error of a branch is its own affair.
    (error,) = result["errors"]
    kind = {"python": sdk.language.operation_error("StepError"), "node": "ChildContextError"}
    assert error == {"type": kind[sdk.language.name], "message": "branch 1"}
    assert errors(run.details("StepFailed")) == [(sdk.language.declined, "branch 1")]
    failed = errors(run.details("ContextFailed"))
    assert failed == [(sdk.language.operation_error("StepError"), "branch 1")]
    assert sorted(run.shape("branches")) == [
        "ContextFailed parallel-branch-1",
        *(f"ContextStarted parallel-branch-{branch}" for branch in range(3)),
        "ContextSucceeded parallel-branch-0",
        "ContextSucceeded parallel-branch-2",
    ]


def test_a_child_context_with_a_large_result_is_replayed_from_its_children(sdk: Host) -> None:
    run = sdk[LARGE_CHILD]
    assert run.result() == {"length": 300 * KIB}, "after a wait: the body ran again, its step did not"
    assert run.shape() == [
        "ContextStarted large",
        "StepStarted letter",
        "StepSucceeded letter",
        "ContextSucceeded large",
        "WaitStarted pause",
        "WaitSucceeded pause",
    ]
    (succeeded,) = run.details("ContextSucceeded")
    assert succeeded["Result"]["Payload"] == ""


def test_a_map_with_a_large_result_is_replayed_from_its_items(sdk: Host) -> None:
    run = sdk[LARGE_MAP]
    texts = [[letter, 100 * KIB] for letter in "abc"]
    assert run.result() == {"results": texts, "reason": "ALL_COMPLETED"}
    (recorded,) = run.details("ContextSucceeded", "large")
    assert payload(recorded)["completionReason"] == "ALL_COMPLETED"
    assert len(recorded["Result"]["Payload"]) < KIB, "a summary"
    assert sorted(run.shape("large")) == [
        *(f"ContextStarted map-item-{item}" for item in range(3)),
        *(f"ContextSucceeded map-item-{item}" for item in range(3)),
    ]
    assert run.shape().count("StepStarted text") == 3


def test_a_flat_map_has_no_contexts_of_its_items(sdk: Host) -> None:
    run = sdk[FLAT_MAP]
    texts = [[letter, 100 * KIB] for letter in "abc"]
    assert run.result() == {"results": texts, "reason": "ALL_COMPLETED"}
    # The operations of the items are the map's.
    assert sorted(run.shape("flat")) == [
        *["StepStarted text"] * 3,
        *["StepSucceeded text"] * 3,
        *["WaitStarted pause"] * 3,
        *["WaitSucceeded pause"] * 3,
    ]
    assert run.shape()[0] == "ContextStarted flat"
    assert run.shape()[-3:] == ["ContextSucceeded flat", "WaitStarted pause", "WaitSucceeded pause"]


@only("node")
def test_combinators_of_promises_suspend_and_replay(sdk: Host) -> None:
    run = sdk.begin("combined")
    assert run.result() == {"all": ["one", "two"], "race": "short", "any": "three"}
    contexts = [event for event in run.shape() if event.startswith("Context")]
    assert contexts == [
        f"{event} {name}" for name in ("all", "race", "any") for event in ("ContextStarted", "ContextSucceeded")
    ]
    assert "WaitSucceeded long" not in run.shape()
    assert run.invocations() == [None] * 3


def test_the_largest_result_of_an_answer_arrives(sdk: Host) -> None:
    run = sdk[LARGEST_INLINE_RESULT]
    assert run.result() == "x" * (INLINE_RESULT - 2)
    assert [event["EventType"] for event in run.history[1:]] == ["InvocationCompleted", "ExecutionSucceeded"]


def test_a_larger_result_is_checkpointed_before_the_answer(sdk: Host) -> None:
    run = sdk[CHECKPOINTED_RESULT]
    expected = "x" * (INLINE_RESULT - 1)
    assert run.result() == expected
    # The answer, which has no result, comes after the end of the execution and changes nothing.
    assert [event["EventType"] for event in run.history[1:]] == ["ExecutionSucceeded", "InvocationCompleted"]
    (succeeded,) = run.details("ExecutionSucceeded")
    assert succeeded["Result"]["Payload"] == json.dumps(expected)


# The SDK for JavaScript never answers when its result is refused: its process ends, in vain, five times.
@only("python")
def test_a_result_above_every_limit_fails_the_execution(sdk: Host) -> None:
    run = sdk.begin("large_result", size=6 * MIB)
    kind, message = run.failure()
    assert "Checkpoint" in kind
    assert str(6 * MIB) in message
    assert len(run.invocations()) == 1, "it would be too large again"


def test_a_state_above_the_limit_of_an_invocation_is_fetched_in_pages(sdk: Host) -> None:
    run = sdk[LARGE_STATE]
    assert run.result() == 15 * 400_000
    started = [f"StepStarted step-{number}" for number in range(15)]
    assert [event for event in run.shape() if event.startswith("StepStarted")] == started, "none ran twice"
