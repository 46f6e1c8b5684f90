"""GetDurableExecution, GetDurableExecutionHistory, ListDurableExecutionsByFunction and StopDurableExecution."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from by_hand import FunctionByHand
from harness import Server, event_types, scripted

Serve = Callable[..., Server]

UNKNOWN = "arn:aws:lambda:us-east-1:000000000000:function:checkout:$LATEST/durable-execution/x/00000000-0000"
#: A call for each operation that takes the ARN of an execution.
BY_ARN = [
    "get_durable_execution",
    "get_durable_execution_history",
    "stop_durable_execution",
    "pause_durable_execution",
    "resume_durable_execution",
    "delete_durable_execution",
]


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(scripted("checkout"), scripted("other"), scripted("listed"))


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def test_an_execution_is_described(server: Server) -> None:
    before = now()
    script = {"script": [{"step": {"n": 1}}]}
    arn = server.start_execution("checkout", script, name="described")
    server.wait_for(arn)
    after = now()
    execution = server.execution(arn)
    assert execution["DurableExecutionArn"] == arn
    assert execution["DurableExecutionName"] == "described"
    assert execution["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:checkout:$LATEST"
    assert execution["Version"] == "$LATEST"
    assert execution["InputPayload"] == '{"script": [{"step": {"n": 1}}]}'
    assert execution["Result"] == '{"n":1}'
    assert execution["ExecutionDataIncluded"] is True
    assert execution["DurableConfig"] == {"ExecutionTimeout": 31_622_400, "RetentionPeriodInDays": 14}
    assert execution["TraceHeader"]["XAmznTraceId"].startswith("Root=1-")
    assert "Error" not in execution
    # Timestamps have milliseconds.
    tolerance = datetime.timedelta(milliseconds=1)
    assert before - tolerance <= execution["StartTimestamp"] <= execution["EndTimestamp"] <= after


def test_a_running_execution_has_no_end_and_a_failed_one_has_an_error(server: Server) -> None:
    arn = server.start_execution("checkout", {"script": [{"wait": 3600}]})
    server.wait_for_event(arn, "WaitStarted")
    running = server.execution(arn)
    assert running["Status"] == "RUNNING"
    assert not {"EndTimestamp", "Result", "Error"} & running.keys()

    arn = server.start_execution("checkout", {"script": [{"fail": "CardRefused"}]})
    assert server.error(arn) == {"ErrorType": "CardRefused", "ErrorMessage": "failed"}


def test_data_can_be_left_out(server: Server) -> None:
    arn = server.start_execution("checkout", {"script": [{"step": "secret"}]})
    server.wait_for(arn)
    client = server.client()
    bare = client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
    assert bare["ExecutionDataIncluded"] is False
    assert not {"InputPayload", "Result", "Error"} & bare.keys()

    history = client.get_durable_execution_history(DurableExecutionArn=arn, IncludeExecutionData=False)
    bare_events = history["Events"]
    events = client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
    assert event_types(bare_events) == event_types(events)
    assert bare_events[0]["ExecutionStartedDetails"]["Input"] == {"Truncated": True}
    assert bare_events[-1]["ExecutionSucceededDetails"]["Result"] == {"Truncated": True}
    assert events[-1]["ExecutionSucceededDetails"]["Result"] == {"Payload": '"secret"', "Truncated": False}


def test_the_history_says_what_happened(server: Server) -> None:
    arn = server.start_execution("checkout", {"script": [{"step": 1}, {"wait": 1}, {"step": 2}]})
    server.wait_for(arn)
    events = server.history(arn)
    assert event_types(events) == [
        "ExecutionStarted",
        "StepStarted",
        "StepSucceeded",
        "WaitStarted",
        "InvocationCompleted",
        "WaitSucceeded",
        "StepStarted",
        "StepSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    assert [event["EventId"] for event in events] == list(range(1, 11))
    timestamps = [event["EventTimestamp"] for event in events]
    assert timestamps == sorted(timestamps)
    started, step, wait, invocation = events[0], events[2], events[3], events[4]
    assert started["Id"] == arn.rpartition("/")[2] == events[-1]["Id"]
    assert (step["Id"], step["Name"], step["SubType"]) == ("op-0", "step op-0", "Step")
    assert step["StepSucceededDetails"]["RetryDetails"] == {"CurrentAttempt": 1}
    details = wait["WaitStartedDetails"]
    assert details["Duration"] == 1
    due = wait["EventTimestamp"] + datetime.timedelta(seconds=1)
    assert abs(details["ScheduledEndTimestamp"] - due) < datetime.timedelta(milliseconds=2)
    details = invocation["InvocationCompletedDetails"]
    assert details["StartTimestamp"] <= details["EndTimestamp"]
    assert details["RequestId"] != events[8]["InvocationCompletedDetails"]["RequestId"]


def test_the_history_has_pages_in_both_directions(server: Server) -> None:
    arn = server.start_execution("checkout", {"script": [{"step": n} for n in range(60)]})
    server.wait_for(arn)
    client = server.client()
    first = client.get_durable_execution_history(DurableExecutionArn=arn)
    assert len(first["Events"]) == 100
    assert first["NextMarker"]

    def ids(**options: Any) -> list[list[int]]:
        pages = client.get_paginator("get_durable_execution_history")
        pages = pages.paginate(DurableExecutionArn=arn, **options)
        return [[event["EventId"] for event in page["Events"]] for page in pages]

    # 60 steps of two events each, and three of the execution.
    for options, size in [({}, 100), ({"PaginationConfig": {"PageSize": 41}}, 41)]:
        for newest_first in [False, True]:
            pages = ids(ReverseOrder=newest_first, **options)
            expected = list(range(1, 124))
            assert sum(pages, []) == (expected[::-1] if newest_first else expected)
            assert {len(page) for page in pages[:-1]} == {size}
    assert ids(PaginationConfig={"PageSize": 1000}) == [list(range(1, 124))]
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.get_durable_execution_history(DurableExecutionArn=arn, MaxItems=1001)
    assert "MaxItems" in refused.value.response["Error"]["Message"]
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.get_durable_execution_history(DurableExecutionArn=arn, Marker="nonsense")
    assert "Invalid marker" in refused.value.response["Error"]["Message"]


def test_executions_are_listed_by_function(server: Server) -> None:
    client = server.client()
    scripts = {
        "a": [{"step": 1}],
        "b": [{"fail": "E"}],
        "c": [{"wait": 3600}],
        "d": [{"step": 2}],
        "e": [{"wait": 3600}],
    }
    arns, started = {}, {}
    for name, script in scripts.items():
        arns[name] = server.start_execution("listed", {"script": script}, name=name)
        started[name] = server.execution(arns[name])["StartTimestamp"]
        # The next one starts in another millisecond.
        while now() - started[name] < datetime.timedelta(milliseconds=2):
            pass
    client.stop_durable_execution(DurableExecutionArn=arns["e"])
    server.wait_for(arns["a"])
    server.wait_for(arns["b"], "FAILED")
    server.wait_for(arns["d"])

    def names(**filters: Any) -> str:
        pages = client.get_paginator("list_durable_executions_by_function")
        pages = pages.paginate(FunctionName="listed", **filters)
        return "".join(
            execution["DurableExecutionName"] for page in pages for execution in page["DurableExecutions"]
        )

    assert names() == "edcba"
    assert names(ReverseOrder=True) == "abcde"
    assert names(PaginationConfig={"PageSize": 2}) == "edcba"
    assert names(PaginationConfig={"PageSize": 2}, ReverseOrder=True) == "abcde"
    assert names(Statuses=["RUNNING"]) == "c"
    assert names(Statuses=["SUCCEEDED", "STOPPED"]) == "eda"
    assert names(Statuses=["SUCCEEDED", "FAILED"], PaginationConfig={"PageSize": 1}) == "dba"
    assert names(Statuses=["TIMED_OUT"]) == ""
    assert names(DurableExecutionName="c") == "c"
    assert names(StartedAfter=started["c"] - datetime.timedelta(milliseconds=1)) == "edc"
    assert names(StartedBefore=started["c"] + datetime.timedelta(milliseconds=1)) == "cba"
    assert names(Qualifier="$LATEST") == "edcba"

    page = client.list_durable_executions_by_function(FunctionName="listed", MaxItems=2)
    assert len(page["DurableExecutions"]) == 2
    newest = page["DurableExecutions"][0]
    assert newest["DurableExecutionArn"] == arns["e"]
    assert newest["Status"] == "STOPPED"
    assert newest["StartTimestamp"] == started["e"]
    assert newest["EndTimestamp"] >= started["e"]
    for function in ["listed:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:listed"]:
        page = client.list_durable_executions_by_function(FunctionName=function)
        assert len(page["DurableExecutions"]) == 5


def test_lists_that_are_none_are_refused(server: Server) -> None:
    client = server.client()
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.list_durable_executions_by_function(FunctionName="nowhere")
    for options in [{"Statuses": ["DANCING"]}, {"MaxItems": 1001}, {"Marker": "nonsense"}]:
        with pytest.raises(client.exceptions.InvalidParameterValueException):
            client.list_durable_executions_by_function(FunctionName="other", **options)
    assert client.list_durable_executions_by_function(FunctionName="other")["DurableExecutions"] == []


def test_a_stopped_execution_has_ended(serve: Serve, by_hand: FunctionByHand) -> None:
    server = serve(by_hand.function("endless"))
    client = server.client()
    arn = server.start_execution("endless")
    invocation = by_hand.next()
    error = {"ErrorType": "Cancelled", "ErrorMessage": "no longer needed", "ErrorData": "{}", "StackTrace": ["f"]}
    stopped = client.stop_durable_execution(DurableExecutionArn=arn, Error=error)["StopTimestamp"]
    execution = server.execution(arn)
    assert execution["Status"] == "STOPPED"
    assert execution["Error"] == error
    assert execution["EndTimestamp"] == stopped
    assert abs(stopped - now()) < datetime.timedelta(seconds=30)
    assert server.history(arn)[-1]["ExecutionStoppedDetails"]["Error"]["Payload"] == error

    # The invocation in flight is not interrupted, but what it says no longer counts.
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.checkpoint_durable_execution(DurableExecutionArn=arn, CheckpointToken=invocation.token)
    assert refused.value.response["Error"]["Message"].startswith("Invalid Checkpoint Token")
    invocation.succeed("too late")
    server.wait_for_event(arn, "InvocationCompleted")
    assert server.execution(arn)["Status"] == "STOPPED"
    again = client.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorMessage": "again"})
    assert again["StopTimestamp"] == stopped
    assert server.execution(arn)["Error"] == error


def test_a_stop_needs_no_error(server: Server) -> None:
    arn = server.start_execution("checkout", {"script": [{"wait": 3600}]})
    server.client().stop_durable_execution(DurableExecutionArn=arn)
    assert server.execution(arn)["Status"] == "STOPPED"
    assert server.execution(arn)["Error"]["ErrorMessage"]


@pytest.mark.parametrize("operation", BY_ARN)
def test_what_is_no_execution_is_refused(server: Server, operation: str) -> None:
    client = server.client()
    with pytest.raises(client.exceptions.ResourceNotFoundException) as refused:
        getattr(client, operation)(DurableExecutionArn=UNKNOWN)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        getattr(client, operation)(DurableExecutionArn="not/an arn")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
