"""SendDurableExecutionCallbackSuccess, …Failure and …Heartbeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness import Server, counted, event_types, scripted

Serve = Callable[..., Server]


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(scripted("approval"))


def waiting(server: Server, **options: Any) -> tuple[str, str]:
    """An execution that waits for a callback, and the callback's id."""
    arn = server.start_execution("approval", {"script": [{"callback": options}]})
    return arn, server.callback_id(arn)


def test_a_result_is_kept_byte_for_byte(server: Server) -> None:
    arn, callback = waiting(server, TimeoutSeconds=3600, HeartbeatTimeoutSeconds=60)
    result = '{"status":  "approved",\n"by": "Zoë \\u00e9"}'
    server.client().send_durable_execution_callback_success(CallbackId=callback, Result=result.encode())
    assert server.result(arn) == {"status": "approved", "by": "Zoë é"}
    started = server.wait_for_event(arn, "CallbackStarted")["CallbackStartedDetails"]
    assert started == {"CallbackId": callback, "Timeout": 3600, "HeartbeatTimeout": 60}
    succeeded = server.wait_for_event(arn, "CallbackSucceeded")["CallbackSucceededDetails"]
    assert succeeded["Result"] == {"Payload": result, "Truncated": False}


def test_a_result_can_be_absent(server: Server) -> None:
    arn, callback = waiting(server)
    server.client().send_durable_execution_callback_success(CallbackId=callback)
    assert server.result(arn) is None
    assert "Payload" not in server.wait_for_event(arn, "CallbackSucceeded")["CallbackSucceededDetails"]["Result"]


def test_a_failure_has_the_callers_error(server: Server) -> None:
    arn, callback = waiting(server)
    error = {"ErrorType": "Refused", "ErrorMessage": "no", "ErrorData": '{"by": 7}', "StackTrace": ["a", "b"]}
    server.client().send_durable_execution_callback_failure(CallbackId=callback, Error=error)
    assert server.error(arn) == error
    failed = server.wait_for_event(arn, "CallbackFailed")["CallbackFailedDetails"]
    assert failed["Error"] == {"Payload": error, "Truncated": False}


def test_a_failure_needs_no_error(server: Server) -> None:
    arn, callback = waiting(server)
    server.client().send_durable_execution_callback_failure(CallbackId=callback)
    server.wait_for(arn, "FAILED")
    failed = server.wait_for_event(arn, "CallbackFailed")["CallbackFailedDetails"]
    assert not failed["Error"].get("Payload")


def test_heartbeats_keep_a_callback_open(server: Server) -> None:
    client = server.client()
    arn, callback = waiting(server, TimeoutSeconds=3600, HeartbeatTimeoutSeconds=2)
    begun = server.wait_for_event(arn, "CallbackStarted")["EventTimestamp"]
    beat = begun
    # More than half of the time between two heartbeats, and longer than the limit altogether.
    while (beat - begun).total_seconds() < 2.5:
        client.send_durable_execution_callback_heartbeat(CallbackId=callback)
        last = server.start_execution("approval", {"script": [{"sleep": 900}, {"step": 1}]})
        beat = server.wait_for(last)["EndTimestamp"]
    assert server.execution(arn)["Status"] == "RUNNING"
    assert event_types(server.history(arn)) == ["ExecutionStarted", "CallbackStarted", "InvocationCompleted"]

    error = server.error(arn)
    assert error["ErrorType"] == "Callback.Heartbeat"
    assert error["ErrorMessage"] == "Callback timed out on heartbeat"
    timed_out = server.wait_for_event(arn, "CallbackTimedOut")
    assert timed_out["CallbackTimedOutDetails"]["Error"]["Payload"] == error
    closed(server, callback)


def test_a_timeout_closes_a_callback(server: Server) -> None:
    arn, callback = waiting(server, TimeoutSeconds=1)
    error = server.error(arn)
    assert error == {"ErrorType": "Callback.Timeout", "ErrorMessage": "Callback timed out"}
    closed(server, callback)


def test_a_callback_is_completed_once(server: Server) -> None:
    arn, callback = waiting(server)
    server.client().send_durable_execution_callback_success(CallbackId=callback, Result=b'"first"')
    closed(server, callback)
    assert server.result(arn) == "first"
    closed(server, callback)
    assert counted(server.history(arn))["CallbackSucceeded"] == 1


def test_a_callback_can_come_before_the_function_waits_for_it(server: Server) -> None:
    script = [{"callback": {}, "then_sleep": 500}]
    arn = server.start_execution("approval", {"script": script})
    callback = server.callback_id(arn)
    server.client().send_durable_execution_callback_success(CallbackId=callback, Result=b'"early"')
    assert server.result(arn) == "early"


def closed(server: Server, callback: str) -> None:
    """Checks that a callback takes nothing any more."""
    client = server.client()
    for call in [
        lambda: client.send_durable_execution_callback_success(CallbackId=callback, Result=b"1"),
        lambda: client.send_durable_execution_callback_failure(CallbackId=callback),
        lambda: client.send_durable_execution_callback_heartbeat(CallbackId=callback),
    ]:
        with pytest.raises(client.exceptions.CallbackTimeoutException) as refused:
            call()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("callback", ["bm90IGEgY2FsbGJhY2s=", "a+b/c==", "x" * 1024])
def test_what_is_no_callback_is_not_found(server: Server, callback: str) -> None:
    client = server.client()
    for send in [
        client.send_durable_execution_callback_success,
        client.send_durable_execution_callback_failure,
        client.send_durable_execution_callback_heartbeat,
    ]:
        with pytest.raises(client.exceptions.ResourceNotFoundException) as refused:
            send(CallbackId=callback)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_result_is_text_of_a_limited_size(server: Server) -> None:
    client = server.client()
    arn, callback = waiting(server)
    limit = 256 * 1024
    for result in [b"\xff\xfe", b"x" * (limit + 1)]:
        with pytest.raises(client.exceptions.InvalidParameterValueException):
            client.send_durable_execution_callback_success(CallbackId=callback, Result=result)
    # One that is not even read to its end.
    with pytest.raises(client.exceptions.RequestTooLargeException) as refused:
        client.send_durable_execution_callback_success(CallbackId=callback, Result=b"x" * 8 * limit)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    largest = "x" * (limit - 2)
    client.send_durable_execution_callback_success(CallbackId=callback, Result=f'"{largest}"'.encode())
    assert server.result(arn) == largest
