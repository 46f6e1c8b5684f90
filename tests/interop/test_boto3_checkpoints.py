"""CheckpointDurableExecution and GetDurableExecutionState, and the envelope whose token they need."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from by_hand import FunctionByHand, Invocation
from harness import Server, event_types, scripted

Serve = Callable[..., Server]
Operations = dict[str, dict[str, Any]]


@pytest.fixture
def server(serve: Serve, by_hand: FunctionByHand) -> Server:
    return serve(by_hand.function("manual"), scripted("helper"))


@pytest.fixture
def begun(server: Server, by_hand: FunctionByHand) -> Invocation:
    """The first invocation of an execution."""
    server.start_execution("manual", {"order": 17}, name="order-17")
    return by_hand.next()


def update(id: str, kind: str, action: str, **members: Any) -> dict[str, Any]:
    return {"Id": id, "Type": kind, "Action": action, **members}


class Checkpointer:
    """Checkpoints with the current token, as a function does."""

    def __init__(self, server: Server, invocation: Invocation) -> None:
        self.client = server.client()
        self.arn = invocation.arn
        self.token = invocation.token
        self.operations: Operations = {}

    def __call__(self, *updates: dict[str, Any], **options: Any) -> Operations:
        """Gives what has changed."""
        answer = self.client.checkpoint_durable_execution(
            DurableExecutionArn=self.arn, CheckpointToken=self.token, Updates=updates, **options
        )
        self.token = answer.get("CheckpointToken", "")
        changed = {operation["Id"]: operation for operation in answer["NewExecutionState"]["Operations"]}
        self.operations |= changed
        return changed

    def refused(self, *updates: dict[str, Any]) -> str:
        with pytest.raises(self.client.exceptions.InvalidParameterValueException) as refused:
            self(*updates)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        return refused.value.response["Error"]["Message"]


@pytest.fixture
def checkpoint(server: Server, begun: Invocation) -> Checkpointer:
    return Checkpointer(server, begun)


def test_the_envelope_is_what_sdks_read(begun: Invocation) -> None:
    assert begun.envelope.keys() >= {"DurableExecutionArn", "CheckpointToken", "InitialExecutionState"}
    assert begun.arn.split("/")[1:3] == ["durable-execution", "order-17"]
    assert begun.envelope["InitialExecutionState"].get("NextMarker", "") == ""
    (execution,) = begun.operations
    assert execution["Id"] == begun.arn.rpartition("/")[2]
    assert (execution["Type"], execution["Status"]) == ("EXECUTION", "STARTED")
    assert execution["ExecutionDetails"] == {"InputPayload": '{"order": 17}'}
    # Milliseconds here, seconds in the API.
    assert isinstance(execution["StartTimestamp"], int)
    assert abs(execution["StartTimestamp"] / 1000 - time.time()) < 60


def test_operations_of_every_type_begin(checkpoint: Checkpointer) -> None:
    before = checkpoint.token
    operations = checkpoint(
        update("c", "CONTEXT", "START", SubType="RunInChildContext", Name="child"),
        update("s", "STEP", "START", SubType="Step", Name="charge card", ParentId="c"),
        update("w", "WAIT", "START", SubType="Wait", WaitOptions={"WaitSeconds": 3600}),
        update("cb", "CALLBACK", "START", SubType="Callback", CallbackOptions={"TimeoutSeconds": 60}),
        update(
            "i",
            "CHAINED_INVOKE",
            "START",
            SubType="ChainedInvoke",
            Payload='{"script":[{"wait":3600}]}',
            ChainedInvokeOptions={"FunctionName": "helper:$LATEST"},
        ),
    )
    assert checkpoint.token not in ("", before)
    assert list(operations) == ["c", "s", "w", "cb", "i"]
    assert {operation["Status"] for operation in operations.values()} == {"STARTED"}
    step = operations["s"]
    assert (step["Name"], step["SubType"], step["ParentId"]) == ("charge card", "Step", "c")
    assert "ParentId" not in operations["c"] and "Name" not in operations["w"]
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs(step["StartTimestamp"] - now) < datetime.timedelta(seconds=60)
    due = operations["w"]["WaitDetails"]["ScheduledEndTimestamp"]
    assert due - operations["w"]["StartTimestamp"] == datetime.timedelta(hours=1)
    assert operations["cb"]["CallbackDetails"]["CallbackId"]


def test_a_step_goes_through_its_attempts(server: Server, checkpoint: Checkpointer) -> None:
    step = lambda action, **members: checkpoint(update("s", "STEP", action, SubType="Step", **members))["s"]
    assert step("START")["StepDetails"].get("Attempt", 0) == 0
    error = {"ErrorType": "Busy", "ErrorMessage": "try later"}
    retried = step("RETRY", Error=error, StepOptions={"NextAttemptDelaySeconds": 1})
    assert retried["Status"] == "PENDING"
    assert retried["StepDetails"]["Attempt"] == 1
    assert retried["StepDetails"]["Error"] == error
    assert retried["StepDetails"]["NextAttemptTimestamp"] > retried["StartTimestamp"]

    # The service makes it READY, which an empty checkpoint sees.
    deadline = time.monotonic() + 30
    while checkpoint.operations["s"]["Status"] == "PENDING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
        checkpoint()
    assert checkpoint.operations["s"]["Status"] == "READY"
    assert step("START")["Status"] == "STARTED"
    ended = step("SUCCEED", Payload='"charged"')
    assert ended["Status"] == "SUCCEEDED"
    assert ended["StepDetails"]["Attempt"] == 2
    assert ended["StepDetails"]["Result"] == '"charged"'
    assert ended["EndTimestamp"] > ended["StartTimestamp"]

    events = [event for event in server.history(checkpoint.arn) if event.get("Id") == "s"]
    assert event_types(events) == ["StepStarted", "StepFailed", "StepStarted", "StepSucceeded"]
    assert events[1]["StepFailedDetails"]["RetryDetails"] == {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1}
    assert events[3]["StepSucceededDetails"]["RetryDetails"] == {"CurrentAttempt": 2}


def test_a_checkpoint_can_be_sent_again(checkpoint: Checkpointer) -> None:
    request = {
        "DurableExecutionArn": checkpoint.arn,
        "CheckpointToken": checkpoint.token,
        "Updates": [update("s", "STEP", "START")],
        "ClientToken": "once",
    }
    send = checkpoint.client.checkpoint_durable_execution
    members = lambda answer: {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    first = members(send(**request))
    assert members(send(**request)) == first
    # Another logical call with a token that is used up.
    with pytest.raises(checkpoint.client.exceptions.InvalidParameterValueException) as refused:
        send(**request | {"ClientToken": "twice"})
    # Python's SDK compares the beginning, its case included, and tries the invocation again then.
    assert refused.value.response["Error"]["Message"].startswith("Invalid Checkpoint Token")
    checkpoint.token = first["CheckpointToken"]
    assert checkpoint(update("s", "STEP", "SUCCEED"))["s"]["Status"] == "SUCCEEDED"


def test_a_wrong_token_is_refused(checkpoint: Checkpointer) -> None:
    for token in ["bm90IGEgdG9rZW4=", "not a token!", "x" * 2049]:
        checkpoint.token = token
        assert checkpoint.refused().startswith("Invalid Checkpoint Token")


START = update("a", "STEP", "START")

#: Batches, and words of the refusal. Most of them begin with an update that is good.
INVALID = [
    ([START, START], "Cannot checkpoint multiple operations with the same ID."),
    ([START, update("b", "STEP", "START", ParentId="nobody")], "Invalid parent operation id."),
    ([START, update("b", "WAIT", "SUCCEED")], "Invalid action for the given operation type."),
    ([START, update("b", "CONTEXT", "RETRY")], "Invalid action for the given operation type."),
    ([START, update("b", "STEP", "RETRY")], "Invalid StepOptions for the given action."),
    ([START, update("b", "STEP", "FAIL", Payload="1")], "Cannot provide a Payload for FAIL action."),
    (
        [START, update("b", "STEP", "SUCCEED", Error={"ErrorType": "E"})],
        "Cannot provide an Error for SUCCEED action.",
    ),
    ([update("x", "EXECUTION", "SUCCEED"), START], "EXECUTION checkpoint must be the last update."),
    (
        [update("x", "EXECUTION", "SUCCEED"), update("x", "EXECUTION", "FAIL")],
        "Cannot checkpoint multiple EXECUTION updates.",
    ),
    (
        [START, update("b", "STEP", "FAIL", Error={"ErrorMessage": "x" * 32768})],
        "Error object size must be less than 32768 bytes.",
    ),
    ([START, update("b c", "STEP", "START")], "[a-zA-Z0-9-_]"),
    ([START, update("b", "STEP", "START", Name="naïve")], "printable ASCII"),
    ([START, update("b", "STEP", "START", SubType="x" * 33)], "sub type"),
    ([START, update("b", "WAIT", "START", WaitOptions={"WaitSeconds": 31_622_401})], "WaitSeconds"),
    ([START, update("b", "DANCE", "START")], "Unknown operation type."),
    ([START, update("b", "STEP", "DANCE")], "DANCE"),
]


def test_an_invalid_batch_is_refused_as_a_whole(server: Server, checkpoint: Checkpointer) -> None:
    for updates, message in INVALID:
        assert message in checkpoint.refused(*updates)
    assert event_types(server.history(checkpoint.arn)) == ["ExecutionStarted"]
    # The token is still good.
    assert checkpoint(START)["a"]["Status"] == "STARTED"


def test_what_an_operation_is_cannot_change(checkpoint: Checkpointer) -> None:
    checkpoint(update("a", "STEP", "START", SubType="Step", Name="one"))
    end = {"SubType": "Step", "Name": "one"}
    for kind, members, message in [
        ("CONTEXT", end, "Inconsistent operation type."),
        ("STEP", end | {"SubType": "Map"}, "Inconsistent operation subtype."),
        ("STEP", end | {"Name": "two"}, "Inconsistent operation name."),
    ]:
        assert message in checkpoint.refused(update("a", kind, "SUCCEED", **members))
    checkpoint(update("a", "STEP", "SUCCEED", **end))
    assert "Invalid current STEP state to close." in checkpoint.refused(update("a", "STEP", "FAIL"))
    assert "Invalid current STEP state to start." in checkpoint.refused(update("a", "STEP", "START"))


def test_payloads_have_a_limit(checkpoint: Checkpointer) -> None:
    largest = "x" * (1024 * 1024)
    ended = checkpoint(update("a", "STEP", "SUCCEED", Payload=largest))["a"]
    assert ended["StepDetails"]["Result"] == largest
    assert "larger than the limit" in checkpoint.refused(update("b", "STEP", "SUCCEED", Payload=largest + "x"))


def test_the_checkpoint_that_ends_the_execution_has_no_token(server: Server, begun: Invocation) -> None:
    checkpoint = Checkpointer(server, begun)
    # Its id does not matter: it is about the execution.
    result = '"' + "x" * (6 * 1024 * 1024 - 2) + '"'
    checkpoint(update("execution-result-1", "EXECUTION", "SUCCEED", Payload=result))
    assert checkpoint.token == ""
    begun.answer({"Status": "SUCCEEDED", "Result": ""})
    assert server.wait_for(begun.arn)["Result"] == result
    server.wait_for_event(begun.arn, "InvocationCompleted")
    events = event_types(server.history(begun.arn))
    assert events == ["ExecutionStarted", "ExecutionSucceeded", "InvocationCompleted"]


def test_the_next_envelope_has_what_happened_meanwhile(
    server: Server, begun: Invocation, by_hand: FunctionByHand
) -> None:
    checkpoint = Checkpointer(server, begun)
    operations = checkpoint(
        update("s", "STEP", "SUCCEED", Payload="1"), update("cb", "CALLBACK", "START")
    )
    begun.suspend()
    callback = operations["cb"]["CallbackDetails"]["CallbackId"]
    checkpoint.client.send_durable_execution_callback_success(CallbackId=callback, Result=b"[]")
    second = by_hand.next()
    assert second.arn == begun.arn
    assert second.token != begun.token
    assert second.envelope["UpdatedOperationIds"] == ["cb"]
    assert [operation["Id"] for operation in second.operations[1:]] == ["s", "cb"]
    assert second.operations[2]["Status"] == "SUCCEEDED"
    assert second.operations[2]["CallbackDetails"]["Result"] == "[]"
    # The token of an invocation that has ended is worth nothing.
    assert checkpoint.refused().startswith("Invalid Checkpoint Token")
    second.succeed([1])
    assert server.result(begun.arn) == [1]


def test_an_invoked_function_ends_its_operation(
    server: Server, begun: Invocation, by_hand: FunctionByHand
) -> None:
    checkpoint = Checkpointer(server, begun)
    invoked = {"good": [{"step": {"ok": True}}], "bad": [{"fail": "Refused"}]}
    checkpoint(
        *(
            update(
                id,
                "CHAINED_INVOKE",
                "START",
                SubType="ChainedInvoke",
                Payload=json.dumps({"script": script}),
                ChainedInvokeOptions={"FunctionName": "helper:$LATEST"},
            )
            for id, script in invoked.items()
        )
    )
    begun.suspend()
    ended: Operations = {}
    while len(ended) < len(invoked):
        invocation = by_hand.next()
        ended = {
            operation["Id"]: operation for operation in invocation.operations if operation["Status"] != "STARTED"
        }
        if len(ended) < len(invoked):
            invocation.suspend()
    assert ended["good"]["Status"] == "SUCCEEDED"
    assert ended["good"]["ChainedInvokeDetails"] == {"Result": '{"ok":true}'}
    assert ended["bad"]["Status"] == "FAILED"
    assert ended["bad"]["ChainedInvokeDetails"]["Error"]["ErrorType"] == "Refused"
    invocation.succeed()

    started = server.wait_for_event(begun.arn, "ChainedInvokeStarted")["ChainedInvokeStartedDetails"]
    assert started["FunctionName"] == "helper:$LATEST"
    assert json.loads(started["Input"]["Payload"]) == {"script": invoked["good"]}
    assert json.loads(server.execution(started["DurableExecutionArn"])["Result"]) == {"ok": True}


def test_waits_can_be_cancelled_and_contexts_fail(server: Server, checkpoint: Checkpointer) -> None:
    error = {"ErrorType": "ChildError", "ErrorMessage": "no", "ErrorData": "{}", "StackTrace": ["here"]}
    checkpoint(
        update("w", "WAIT", "START", WaitOptions={"WaitSeconds": 3600}),
        update("c", "CONTEXT", "START"),
    )
    changed = checkpoint(update("w", "WAIT", "CANCEL"), update("c", "CONTEXT", "FAIL", Error=error))
    assert changed["w"]["Status"] == "CANCELLED"
    assert changed["c"]["Status"] == "FAILED"
    assert changed["c"]["ContextDetails"]["Error"] == error
    events = {event["EventType"]: event for event in server.history(checkpoint.arn)}
    assert "WaitCancelledDetails" in events["WaitCancelled"]
    assert events["ContextFailed"]["ContextFailedDetails"]["Error"] == {"Payload": error, "Truncated": False}
    checkpoint(update("x", "EXECUTION", "FAIL", Error=error))
    assert server.error(checkpoint.arn) == error


def test_a_large_state_comes_in_pages(
    server: Server, begun: Invocation, by_hand: FunctionByHand
) -> None:
    checkpoint = Checkpointer(server, begun)
    ids = [f"s{number}" for number in range(12)]
    for id in ids:
        checkpoint(update(id, "STEP", "SUCCEED", Payload="x" * 1024 * 1024))
    checkpoint(update("w", "WAIT", "START", WaitOptions={"WaitSeconds": 1}))
    begun.suspend()
    second = by_hand.next()
    first_page = second.envelope["InitialExecutionState"]
    assert first_page["NextMarker"]
    found = [operation["Id"] for operation in first_page["Operations"]]
    pages = server.client().get_paginator("get_durable_execution_state")
    pages = pages.paginate(
        DurableExecutionArn=begun.arn,
        CheckpointToken=second.token,
        PaginationConfig={"StartingToken": first_page["NextMarker"]},
    )
    for page in pages:
        found += [operation["Id"] for operation in page["Operations"]]
    assert found == [begun.arn.rpartition("/")[2], *ids, "w"]
    second.succeed()


def test_the_state_is_read_with_the_token(checkpoint: Checkpointer) -> None:
    client = checkpoint.client
    ids = [f"s{number}" for number in range(7)]
    checkpoint(*(update(id, "STEP", "START") for id in ids))
    request = {"DurableExecutionArn": checkpoint.arn, "CheckpointToken": checkpoint.token}

    pages = client.get_paginator("get_durable_execution_state")
    pages = list(pages.paginate(**request, PaginationConfig={"PageSize": 3}))
    assert [len(page["Operations"]) for page in pages] == [3, 3, 2]
    operations = [operation for page in pages for operation in page["Operations"]]
    assert operations[0]["Type"] == "EXECUTION"
    assert operations[0]["ExecutionDetails"]["InputPayload"] == '{"order": 17}'
    assert [operation["Id"] for operation in operations[1:]] == ids
    assert all(operation["StartTimestamp"].year > 2000 for operation in operations)

    refused = client.exceptions.InvalidParameterValueException
    for other in [{"Marker": "nonsense"}, {"MaxItems": 1001}, {"CheckpointToken": "bm9uZQ=="}]:
        with pytest.raises(refused):
            client.get_durable_execution_state(**request | other)
    # It is still good.
    assert checkpoint(update("s0", "STEP", "SUCCEED"))["s0"]["Status"] == "SUCCEEDED"


def test_children_of_ended_contexts_are_left_out(checkpoint: Checkpointer) -> None:
    for id, options in [("small", {}), ("large", {"ContextOptions": {"ReplayChildren": True}})]:
        checkpoint(
            update(id, "CONTEXT", "START"),
            update(f"{id}-1", "STEP", "SUCCEED", ParentId=id, Payload="1"),
        )
        checkpoint(update(id, "CONTEXT", "SUCCEED", Payload="1", **options))
    state = checkpoint.client.get_durable_execution_state(
        DurableExecutionArn=checkpoint.arn, CheckpointToken=checkpoint.token
    )
    ids = [operation["Id"] for operation in state["Operations"][1:]]
    assert ids == ["small", "large", "large-1"]
    assert state["Operations"][2]["ContextDetails"]["ReplayChildren"] is True


def test_an_unknown_execution_is_no_parameter(checkpoint: Checkpointer) -> None:
    """The model has no ResourceNotFoundException for these two operations."""
    client = checkpoint.client
    other = checkpoint.arn.rpartition("/")[0] + "/0000"
    for call in [client.checkpoint_durable_execution, client.get_durable_execution_state]:
        with pytest.raises(client.exceptions.InvalidParameterValueException):
            call(DurableExecutionArn=other, CheckpointToken=checkpoint.token)
