"""Functions of the official SDKs: callbacks, completed by boto3."""

import threading

import harness
from sdk import FILE, Host, Run, Scenario, errors

SUCCEEDING = Scenario("callback")
FAILING = Scenario("callback")
TIMED_OUT = Scenario("callback", timeout=1)
HEARTBEAT_MISSED = Scenario("callback", timeout=60, heartbeat=1)
WAITED_FOR = Scenario("wait_for_callback", file=FILE)
WAITED_FOR_IN_VAIN = Scenario("wait_for_callback", timeout=1, file=FILE)
REFUSED = Scenario("wait_for_callback", refuse=True)

TIMEOUT = ("Callback.Timeout", "Callback timed out")
HEARTBEAT_TIMEOUT = ("Callback.Heartbeat", "Callback timed out on heartbeat")


def succeed(run: Run, result: bytes) -> None:
    id = run.server.callback_id(run.arn)
    run.server.client().send_durable_execution_callback_success(CallbackId=id, Result=result)


def test_a_callback_delivers_its_result_as_it_is(sdk: Host) -> None:
    run = sdk[SUCCEEDING]
    succeed(run, b'{"approved": true}')
    assert run.result() == {"result": '{"approved": true}'}
    # The step may still be on its way when the callback is completed.
    assert [event for event in run.shape() if event.startswith("Callback")] == [
        "CallbackStarted approval",
        "CallbackSucceeded approval",
    ]
    (started,) = run.details("CallbackStarted")
    assert set(started) == {"CallbackId"}, "it has no limits"


def test_a_callback_fails_with_what_its_sender_says(sdk: Host) -> None:
    run = sdk[FAILING]
    id = run.server.callback_id(run.arn)
    error = {"ErrorType": "Rejected", "ErrorMessage": "too expensive", "ErrorData": "[1]", "StackTrace": ["a"]}
    run.server.client().send_durable_execution_callback_failure(CallbackId=id, Error=error)
    assert run.result() == {"type": "CallbackExternalError", "message": "too expensive"}
    (failed,) = run.details("CallbackFailed")
    assert failed["Error"]["Payload"] == error


def test_a_callback_times_out(sdk: Host) -> None:
    run = sdk[TIMED_OUT]
    assert run.result() == {"type": "CallbackTimeoutError", "message": TIMEOUT[1]}
    assert run.shape()[0] == "CallbackStarted approval"
    assert run.details("CallbackStarted")[0]["Timeout"] == 1
    assert errors(run.details("CallbackTimedOut")) == [TIMEOUT]


def test_a_callback_times_out_without_heartbeats(sdk: Host) -> None:
    run = sdk[HEARTBEAT_MISSED]
    assert run.result() == {"type": "CallbackTimeoutError", "message": HEARTBEAT_TIMEOUT[1]}
    (started,) = run.details("CallbackStarted")
    assert (started["Timeout"], started["HeartbeatTimeout"]) == (60, 1)
    assert errors(run.details("CallbackTimedOut")) == [HEARTBEAT_TIMEOUT]


def test_heartbeats_keep_callbacks_alive(sdk: Host) -> None:
    runs = [
        sdk.begin("callback", heartbeat=2, timeout=60),
        sdk.begin("wait_for_callback", heartbeat=2, timeout=60, file=FILE),
    ]
    ids = [run.server.callback_id(run.arn) for run in runs]
    client = sdk.server.client()
    for _ in range(3):
        threading.Event().wait(0.8)
        for id in ids:
            client.send_durable_execution_callback_heartbeat(CallbackId=id)
    for run in runs:
        succeed(run, b"alive")
        assert run.result() == {"result": "alive"}
        started, ended = (event for event in run.history if event["EventType"].startswith("Callback"))
        assert (ended["EventTimestamp"] - started["EventTimestamp"]).total_seconds() > 2


def test_wait_for_callback_gives_its_id_to_the_submitter(sdk: Host) -> None:
    run = sdk[WAITED_FOR]
    harness.until(lambda: run.file.exists() or None, "the submitter")
    id = run.server.callback_id(run.arn)
    # In the middle of writing it may be empty.
    submitted = harness.until(lambda: run.file.read_text() or None, "the id of the callback")
    assert submitted == id
    succeed(run, b"yes")
    assert run.result() == {"result": "yes"}
    # The SDK for JavaScript gives no names to what is inside.
    callback, submitter = {
        "python": (" approval create callback id", " approval submitter"),
        "node": ("", ""),
    }[sdk.language.name]
    inside = run.shape("approval")
    assert inside[0] == f"CallbackStarted{callback}"
    # The callback may be completed before the submitter is known to have succeeded.
    assert sorted(inside[1:]) == [
        f"CallbackSucceeded{callback}",
        f"StepStarted{submitter}",
        f"StepSucceeded{submitter}",
    ]
    assert run.shape()[0] == "ContextStarted approval"
    assert run.shape()[-1] == "ContextSucceeded approval"
    assert run.operation("approval")["SubType"] == "WaitForCallback"


def test_wait_for_callback_times_out(sdk: Host) -> None:
    run = sdk[WAITED_FOR_IN_VAIN]
    assert run.result() == {"type": "CallbackTimeoutError", "message": TIMEOUT[1]}
    assert errors(run.details("CallbackTimedOut")) == [TIMEOUT]
    kind = sdk.language.operation_error("CallbackTimeoutError")
    assert errors(run.details("ContextFailed")) == [(kind, TIMEOUT[1])]


def test_a_submitter_that_fails_fails_wait_for_callback(sdk: Host) -> None:
    run = sdk[REFUSED]
    assert run.result() == {"type": "CallbackSubmitterError", "message": "the submitter refuses"}
    assert errors(run.details("StepFailed")) == [(sdk.language.declined, "the submitter refuses")]
    kind = sdk.language.operation_error("StepError")
    assert errors(run.details("ContextFailed")) == [(kind, "the submitter refuses")]
    assert not run.details("CallbackFailed"), "nobody answered the callback"
