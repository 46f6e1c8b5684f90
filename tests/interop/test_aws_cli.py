"""The AWS CLI, used as its manual says: payloads in files, JSON on the standard output, pages."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from by_hand import FunctionByHand
from harness import CREDENTIALS, LIMIT, Server, event_types, scripted

Serve = Callable[..., Server]


class Cli:
    """`aws lambda … --endpoint-url …`, in a directory for files."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.directory = directory

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        aws = [sys.executable, "-m", "awscli", "lambda", *arguments]
        return subprocess.run(
            [*aws, "--endpoint-url", self.server.url, "--output", "json"],
            cwd=self.directory,
            env=os.environ | CREDENTIALS | {"PYTHONWARNINGS": "ignore"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT,
        )

    def __call__(self, *arguments: str) -> Any:
        """What the command prints; `None` when it prints nothing."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout) if ended.stdout.strip() else None

    def refused(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        assert ended.returncode != 0, ended.stdout
        return ended.stderr

    def file(self, name: str, content: Any) -> str:
        text = content if isinstance(content, str) else json.dumps(content)
        (self.directory / name).write_text(text, encoding="utf-8")
        return f"file://{name}"

    def invoke(self, function: str, script: list[Any], *arguments: str) -> tuple[dict[str, Any], str]:
        """What it prints, and the payload that it writes into a file."""
        payload = self.file("payload.json", {"script": script})
        command = ["invoke", "--function-name", function, "--qualifier", "$LATEST", "--payload", payload]
        answer = self(*command, *arguments, "out.json")
        return answer, (self.directory / "out.json").read_text(encoding="utf-8")


@pytest.fixture
def cli(serve: Serve, by_hand: FunctionByHand, tmp_path: Path) -> Cli:
    server = serve(scripted("checkout"), by_hand.function("manual"))
    return Cli(server, tmp_path)


def test_an_execution_from_its_start_to_its_history(cli: Cli) -> None:
    script = [{"print": "charging"}, {"step": {"currency": "€"}}]
    answer, payload = cli.invoke("checkout", script, "--durable-execution-name", "order-17", "--log-type", "Tail")
    assert json.loads(payload) == {"currency": "€"}
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert base64.b64decode(answer["LogResult"]) == b"charging\n"
    arn = answer["DurableExecutionArn"]

    answer, payload = cli.invoke("checkout", [{"fail": "CardRefused"}])
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(payload)["errorType"] == "CardRefused"

    refused = cli.refused(
        *["invoke", "--function-name", "checkout", "--qualifier", "$LATEST", "--payload", "{}"],
        *["--durable-execution-name", "order-17", "out.json"],
    )
    assert "(DurableExecutionAlreadyStartedException)" in refused

    execution = cli("get-durable-execution", "--durable-execution-arn", arn)
    assert execution["Status"] == "SUCCEEDED"
    assert json.loads(execution["Result"]) == {"currency": "€"}
    assert json.loads(execution["InputPayload"]) == {"script": script}
    # This version prints timestamps as they come: seconds since the epoch.
    assert time.time() - 300 < execution["StartTimestamp"] <= execution["EndTimestamp"] <= time.time()

    history = ["get-durable-execution-history", "--durable-execution-arn", arn]
    expected = ["ExecutionStarted", "StepStarted", "StepSucceeded", "InvocationCompleted", "ExecutionSucceeded"]
    # The command fetches all pages by itself.
    assert event_types(cli(*history, "--page-size", "2")["Events"]) == expected
    assert event_types(cli(*history, "--reverse-order")["Events"]) == expected[::-1]
    bare = cli(*history, "--no-include-execution-data", "--query", "Events[0].ExecutionStartedDetails.Input")
    assert bare == {"Truncated": True}
    refused = cli.refused("get-durable-execution", "--durable-execution-arn", arn[:-1])
    assert "(ResourceNotFoundException)" in refused


def test_executions_in_pages_and_a_stop(cli: Cli) -> None:
    for name in "abc":
        answer, payload = cli.invoke(
            "checkout",
            [{"wait": 3600}],
            *["--invocation-type", "Event", "--durable-execution-name", name],
        )
        assert answer["StatusCode"] == 202
        assert payload == ""
    listing = ["list-durable-executions-by-function", "--function-name", "checkout"]
    first = cli(*listing, "--max-items", "2")
    second = cli(*listing, "--max-items", "2", "--starting-token", first["NextToken"])
    assert "NextToken" not in second
    names = [item["DurableExecutionName"] for page in (first, second) for item in page["DurableExecutions"]]
    assert names == ["c", "b", "a"]

    arn = second["DurableExecutions"][0]["DurableExecutionArn"]
    stop = ["stop-durable-execution", "--durable-execution-arn", arn]
    stopped = cli(*stop, "--error", "ErrorType=Cancelled,ErrorMessage=enough")["StopTimestamp"]
    execution = cli("get-durable-execution", "--durable-execution-arn", arn)
    assert execution["Status"] == "STOPPED"
    assert execution["Error"] == {"ErrorType": "Cancelled", "ErrorMessage": "enough"}
    assert execution["EndTimestamp"] == stopped
    found = cli(*listing, "--statuses", "STOPPED", "FAILED", "--query", "DurableExecutions[].DurableExecutionName")
    assert found == ["a"]
    later = cli(*listing, "--started-after", "2100-01-01T00:00:00Z")
    assert later["DurableExecutions"] == []


def test_callbacks(cli: Cli) -> None:
    server = cli.server
    approved = server.start_execution("checkout", {"script": [{"callback": {"HeartbeatTimeoutSeconds": 60}}]})
    callback = ["--callback-id", server.callback_id(approved)]
    assert cli("send-durable-execution-callback-heartbeat", *callback) is None
    (cli.directory / "result.json").write_bytes(b'{"approved":  true}')
    result = ["--result", "fileb://result.json"]
    assert cli("send-durable-execution-callback-success", *callback, *result) is None
    server.wait_for(approved)
    event = server.wait_for_event(approved, "CallbackSucceeded")
    assert event["CallbackSucceededDetails"]["Result"]["Payload"] == '{"approved":  true}'
    refused = cli.refused("send-durable-execution-callback-success", *callback, *result)
    assert "(CallbackTimeoutException)" in refused

    rejected = server.start_execution("checkout", {"script": [{"callback": {}}]})
    error = cli.file("error.json", {"ErrorType": "Rejected", "ErrorMessage": "no"})
    callback = ["--callback-id", server.callback_id(rejected)]
    assert cli("send-durable-execution-callback-failure", *callback, "--error", error) is None
    assert server.error(rejected) == {"ErrorType": "Rejected", "ErrorMessage": "no"}


def test_checkpoints_and_state(cli: Cli, by_hand: FunctionByHand) -> None:
    arn = cli.server.start_execution("manual")
    invocation = by_hand.next()
    updates = [
        {"Id": f"s{number}", "Type": "STEP", "Action": "SUCCEED", "SubType": "Step", "Payload": "1"}
        for number in range(3)
    ]
    execution = ["--durable-execution-arn", arn]
    answer = cli(
        *["checkpoint-durable-execution", *execution, "--checkpoint-token", invocation.token],
        *["--updates", cli.file("updates.json", updates), "--client-token", "once"],
    )
    assert [operation["Status"] for operation in answer["NewExecutionState"]["Operations"]] == ["SUCCEEDED"] * 3
    state = ["get-durable-execution-state", *execution, "--page-size", "2", "--checkpoint-token"]
    operations = cli(*state, answer["CheckpointToken"])["Operations"]
    assert [operation["Id"] for operation in operations[1:]] == ["s0", "s1", "s2"]
    refused = cli.refused(*state, invocation.token)
    assert "(InvalidParameterValueException)" in refused
    assert "Invalid Checkpoint Token" in refused
    invocation.succeed()
