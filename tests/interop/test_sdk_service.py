"""Functions of the official SDKs, and what happens around them: crashes of the server, stops, load."""

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import harness
from sdk import FILE, Host, Language, Run

#: Enough to need every process, and to let executions wait for one.
MANY = 20


def process_of(run: Run) -> int:
    """The process that runs the step of `held`, once it does."""

    def written() -> int | None:
        return int(run.file.read_text() or 0) or None if run.file.exists() else None

    return harness.until(written, "the step")


def has_ended(process: int) -> bool:
    """True when there is no such process, or nobody has waited for its end yet."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True)
    return listed.stdout.strip()[:1] in ("", "Z")


def test_waits_outlive_the_server(language: Language, serve: Callable[..., harness.Server], tmp_path: Path) -> None:
    server = serve(language.function("workflows", "handler"))
    host = Host(language, server, tmp_path)
    run = host.begin("waiting", greeting="hello", seconds=2)
    server.wait_for_event(run.arn, "InvocationCompleted")
    server.kill()
    time.sleep(0.2)
    server.start()
    assert run.result() == {"before": ["hello", 1.5, None, "ü"], "after": 4}
    assert run.shape() == [
        "StepStarted before",
        "StepSucceeded before",
        "WaitStarted pause",
        "WaitSucceeded pause",
        "StepStarted after",
        "StepSucceeded after",
    ]
    started, ended = (event["EventTimestamp"] for event in run.history if event.get("Name") == "pause")
    assert (ended - started).total_seconds() >= 2
    assert run.invocations() == [None, None]


def test_a_step_that_the_server_did_not_survive_runs_again(
    language: Language, serve: Callable[..., harness.Server], tmp_path: Path
) -> None:
    server = serve(language.function("workflows", "handler"))
    host = Host(language, server, tmp_path)
    run = host.begin("held", file=FILE)
    process = process_of(run)
    server.restart()
    harness.until(lambda: has_ended(process) or None, "the process to end with its server")
    Path(f"{run.file}.release").touch()
    assert run.result() == {"before": "kept", "held": "released"}
    assert run.invocations() == ["Runtime.ExitError", None]
    assert run.shape().count("StepSucceeded before") == run.shape().count("StepSucceeded held") == 1


def test_a_waiting_execution_is_stopped(sdk: Host) -> None:
    run = sdk.begin("waiting", greeting="", seconds=3600)
    sdk.server.wait_for_event(run.arn, "InvocationCompleted")
    error = {"ErrorType": "Cancelled", "ErrorMessage": "no longer wanted"}
    sdk.server.client().stop_durable_execution(DurableExecutionArn=run.arn, Error=error)
    assert sdk.server.wait_for(run.arn, "STOPPED")["Error"] == error
    assert run.shape() == ["StepStarted before", "StepSucceeded before", "WaitStarted pause"]
    assert run.history[-1]["EventType"] == "ExecutionStopped"


def test_a_stop_ends_an_invocation_in_the_middle_of_a_step(sdk: Host) -> None:
    run = sdk.begin("held", file=FILE)
    process_of(run)
    sdk.server.client().stop_durable_execution(DurableExecutionArn=run.arn)
    Path(f"{run.file}.release").touch()
    completed = sdk.server.wait_for_event(run.arn, "InvocationCompleted")
    # The token has become stale, and the SDK knows that by the words: the invocation failed, and it did not answer
    # that the execution has.
    stale = {"python": "CheckpointError", "node": "CheckpointUnrecoverableInvocationError"}
    error = completed["InvocationCompletedDetails"]["Error"]["Payload"]
    assert error["ErrorType"] == stale[sdk.language.name], error
    assert sdk.server.execution(run.arn)["Status"] == "STOPPED"
    assert "StepSucceeded held" not in run.shape()


def test_a_pause_waits_for_the_end_of_a_step_and_nothing_runs_twice(sdk: Host) -> None:
    run = sdk.begin("held", file=FILE)
    process_of(run)
    client = sdk.server.client()
    client.pause_durable_execution(DurableExecutionArn=run.arn, Reason="for a look")
    assert sdk.server.execution(run.arn)["Status"] == "PAUSING"
    Path(f"{run.file}.release").touch()
    sdk.server.wait_for(run.arn, "PAUSED")
    # The SDK gives the invocation up, in the same words as for any stale token.
    completed = sdk.server.wait_for_event(run.arn, "InvocationCompleted")
    stale = {"python": "CheckpointError", "node": "CheckpointUnrecoverableInvocationError"}
    assert completed["InvocationCompletedDetails"]["Error"]["Payload"]["ErrorType"] == stale[sdk.language.name]
    client.resume_durable_execution(DurableExecutionArn=run.arn)
    assert run.result() == {"before": "kept", "held": "released"}
    assert run.shape() == [
        "StepStarted before",
        "StepSucceeded before",
        "StepStarted held",
        "StepSucceeded held",
    ]


def test_many_executions_run_beside_each_other(sdk: Host) -> None:
    begun: list[Run] = []
    threads = [
        threading.Thread(target=lambda number=number: begun.append(sdk.begin("waiting", greeting=number)))
        for number in range(MANY)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    greetings = [run.result()["before"][0] for run in begun]
    assert sorted(greetings) == list(range(MANY))
    for run in begun:
        assert harness.counted(run.history) == {
            "ExecutionStarted": 1,
            "StepStarted": 2,
            "StepSucceeded": 2,
            "WaitStarted": 1,
            "WaitSucceeded": 1,
            "InvocationCompleted": 2,
            "ExecutionSucceeded": 1,
        }
