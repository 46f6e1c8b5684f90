"""PauseDurableExecution, ResumeDurableExecution and DeleteDurableExecution."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from by_hand import FunctionByHand
from harness import Server, event_types, scripted

Serve = Callable[..., Server]

LONGEST = datetime.timedelta(seconds=31_622_400)


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(
        scripted("checkout"), scripted("limited", execution_timeout="3s"), scripted("other")
    )


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def suspended(server: Server, *actions: object, function: str = "checkout") -> str:
    """An execution that waits for the first of the actions."""
    arn = server.start_execution(function, {"script": list(actions)})
    server.wait_for_event(arn, "InvocationCompleted")
    return arn


def test_a_waiting_execution_is_paused_and_goes_on(server: Server) -> None:
    client = server.client()
    arn = suspended(server, {"wait": 1}, {"return": "done"})
    before = now()
    assert "PauseDetails" not in server.execution(arn)
    client.pause_durable_execution(DurableExecutionArn=arn, Reason="for lunch")
    execution = server.execution(arn)
    assert execution["Status"] == "PAUSED"
    details = execution["PauseDetails"]
    assert (details["Reason"], details["ExecutionTimeoutPaused"]) == ("for lunch", True)
    assert abs(details["PauseRequestTimestamp"] - before) < datetime.timedelta(seconds=30)
    assert execution["ExpectedExecutionTimeoutTimestamp"] == execution["StartTimestamp"] + LONGEST
    bare = client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
    assert "Reason" not in bare["PauseDetails"]
    assert listed(server, "PAUSED") == [arn]

    # The wait ends in its time, and nobody is invoked for it.
    server.wait_for_event(arn, "WaitSucceeded")
    assert event_types(server.history(arn)).count("InvocationCompleted") == 1
    client.resume_durable_execution(DurableExecutionArn=arn, Reason="fed")
    assert server.result(arn) == "done"
    events = server.history(arn)
    assert event_types(events) == [
        "ExecutionStarted",
        "WaitStarted",
        "InvocationCompleted",
        "ExecutionPaused",
        "WaitSucceeded",
        "ExecutionResumed",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    paused, resumed = (event for event in events if "Reason" in str(event))
    assert paused["Id"] == resumed["Id"] == arn.rpartition("/")[2]
    assert paused["ExecutionPausedDetails"]["Reason"] == {"Payload": "for lunch", "Truncated": False}
    assert paused["ExecutionPausedDetails"]["PauseRequestTimestamp"] == details["PauseRequestTimestamp"]
    assert resumed["ExecutionResumedDetails"]["Reason"] == {"Payload": "fed", "Truncated": False}
    history = client.get_durable_execution_history(DurableExecutionArn=arn, IncludeExecutionData=False)
    bare_reasons = [
        event[f"{event['EventType']}Details"]["Reason"]
        for event in history["Events"]
        if event["EventType"] in ("ExecutionPaused", "ExecutionResumed")
    ]
    assert bare_reasons == [{"Truncated": True}, {"Truncated": True}]
    ended = server.execution(arn)
    assert not {"PauseDetails", "ExpectedExecutionTimeoutTimestamp"} & ended.keys()


def listed(server: Server, status: str) -> list[str]:
    page = server.client().list_durable_executions_by_function(FunctionName="checkout", Statuses=[status])
    return [execution["DurableExecutionArn"] for execution in page["DurableExecutions"]]


def test_what_came_during_a_pause_is_told_afterwards(server: Server) -> None:
    client = server.client()
    arn = suspended(server, {"callback": {}})
    client.pause_durable_execution(DurableExecutionArn=arn)
    client.send_durable_execution_callback_success(CallbackId=server.callback_id(arn), Result=b'"hello"')
    assert server.execution(arn)["Status"] == "PAUSED"
    client.resume_durable_execution(DurableExecutionArn=arn)
    assert server.result(arn) == "hello"


def test_a_running_invocation_ends_at_its_next_checkpoint(serve: Serve, by_hand: FunctionByHand) -> None:
    server = serve(by_hand.function("slow"))
    client = server.client()
    arn = server.start_execution("slow")
    invocation = by_hand.next()
    client.pause_durable_execution(DurableExecutionArn=arn)
    assert server.execution(arn)["Status"] == "PAUSING"
    step = {"Id": "s", "Type": "STEP", "Action": "SUCCEED", "Payload": "1"}
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.checkpoint_durable_execution(
            DurableExecutionArn=arn, CheckpointToken=invocation.token, Updates=[step]
        )
    assert refused.value.response["Error"]["Message"].startswith("Invalid Checkpoint Token")
    assert server.execution(arn)["Status"] == "PAUSED"
    client.resume_durable_execution(DurableExecutionArn=arn)
    assert server.execution(arn)["Status"] == "RUNNING"
    # One invocation at a time: the next one begins at the end of the first.
    invocation.succeed("of no account")
    invocation = by_hand.next()
    assert [operation.get("Status") for operation in invocation.operations] == ["STARTED", "SUCCEEDED"]
    invocation.succeed("done")
    assert server.result(arn) == "done"


def test_a_pause_that_has_not_happened_yet_is_taken_back(serve: Serve, by_hand: FunctionByHand) -> None:
    server = serve(by_hand.function("slow"))
    client = server.client()
    arn = server.start_execution("slow")
    invocation = by_hand.next()
    client.pause_durable_execution(DurableExecutionArn=arn)
    client.resume_durable_execution(DurableExecutionArn=arn)
    client.checkpoint_durable_execution(DurableExecutionArn=arn, CheckpointToken=invocation.token)
    invocation.succeed("done")
    assert server.result(arn) == "done"
    assert event_types(server.history(arn)) == ["ExecutionStarted", "InvocationCompleted", "ExecutionSucceeded"]


def test_the_time_limit_stands_still_during_a_pause_unless_it_is_to_go_on(server: Server) -> None:
    client = server.client()
    held = suspended(server, {"wait": 3600}, function="limited")
    client.pause_durable_execution(DurableExecutionArn=held)
    goes_on = suspended(server, {"wait": 3600}, function="limited")
    client.pause_durable_execution(DurableExecutionArn=goes_on, ExecutionTimeoutPaused=False)
    execution = server.execution(goes_on)
    limit = execution["StartTimestamp"] + datetime.timedelta(seconds=3)
    assert execution["ExpectedExecutionTimeoutTimestamp"] == limit
    assert execution["PauseDetails"]["ExecutionTimeoutPaused"] is False
    server.wait_for(goes_on, "TIMED_OUT")
    assert server.execution(held)["Status"] == "PAUSED"
    client.resume_durable_execution(DurableExecutionArn=held)
    execution = server.execution(held)
    assert execution["ExpectedExecutionTimeoutTimestamp"] > limit
    server.wait_for(held, "TIMED_OUT")


def test_a_pause_outlives_the_server(serve: Serve) -> None:
    server = serve(scripted("checkout"))
    arn = suspended(server, {"wait": 1}, {"return": "done"})
    server.client().pause_durable_execution(DurableExecutionArn=arn, Reason="for lunch")
    server.restart()
    server.wait_for_event(arn, "WaitSucceeded")
    assert server.execution(arn)["PauseDetails"]["Reason"] == "for lunch"
    server.client().resume_durable_execution(DurableExecutionArn=arn)
    assert server.result(arn) == "done"


def test_a_repeated_request_is_no_second_one(server: Server) -> None:
    client = server.client()
    conflict = client.exceptions.ResourceConflictException
    arn = suspended(server, {"wait": 3600})
    with pytest.raises(conflict):
        client.resume_durable_execution(DurableExecutionArn=arn)
    for _ in range(2):
        client.pause_durable_execution(DurableExecutionArn=arn, ClientToken="one")
    with pytest.raises(conflict):
        # boto3 makes up another token.
        client.pause_durable_execution(DurableExecutionArn=arn)
    for _ in range(2):
        client.resume_durable_execution(DurableExecutionArn=arn, ClientToken="one")
    assert event_types(server.history(arn)).count("ExecutionResumed") == 1
    client.pause_durable_execution(DurableExecutionArn=arn)
    client.stop_durable_execution(DurableExecutionArn=arn)
    assert server.execution(arn)["Status"] == "STOPPED"
    for operation in (client.pause_durable_execution, client.resume_durable_execution):
        with pytest.raises(conflict):
            operation(DurableExecutionArn=arn)


def test_a_reason_has_bounds(server: Server) -> None:
    client = server.client()
    arn = suspended(server, {"wait": 3600})
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.pause_durable_execution(DurableExecutionArn=arn, Reason="x" * 1025)
    client.pause_durable_execution(DurableExecutionArn=arn, Reason="ü" * 1024)
    assert server.execution(arn)["PauseDetails"]["Reason"] == "ü" * 1024


def test_an_ended_execution_is_deleted(server: Server) -> None:
    client = server.client()
    arn = server.start_execution("other", {"script": [{"wait": 3600}]}, name="deleted")
    with pytest.raises(client.exceptions.ResourceConflictException) as refused:
        client.delete_durable_execution(DurableExecutionArn=arn)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    client.stop_durable_execution(DurableExecutionArn=arn)
    deleted = client.delete_durable_execution(DurableExecutionArn=arn)["DeletionRequestTimestamp"]
    assert abs(deleted - now()) < datetime.timedelta(seconds=30)
    for operation in ("get_durable_execution", "get_durable_execution_history", "delete_durable_execution"):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            getattr(client, operation)(DurableExecutionArn=arn)
    for statuses in ([], ["DELETING"], ["STOPPED"]):
        filters = {"Statuses": statuses} if statuses else {}
        page = client.list_durable_executions_by_function(FunctionName="other", **filters)
        assert page["DurableExecutions"] == []
    # Its name is free, for another input, too.
    again = server.start_execution("other", {"script": [{"return": 1}]}, name="deleted")
    assert again != arn
    assert server.result(again) == 1
