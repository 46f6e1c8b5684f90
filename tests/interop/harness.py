"""A `durable dev` of a test's own, and the official client that drives it."""

from __future__ import annotations

import collections
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import botocore.client
import botocore.config

import model

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
DURABLE = Path(os.environ.get("DURABLE_BIN", ROOT / "target" / "debug" / "durable"))
PROGRAMS = DURABLE.parent

#: Longer than anything here takes, by far. Only a failed test waits that long.
LIMIT = 60.0
TERMINAL = {"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"}

#: What any AWS client wants and the server does not look at.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    # Not the ones of whoever runs the tests.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@dataclass
class Function:
    """A function of the server's table; see `durable.toml`."""

    name: str
    command: list[str | Path] = field(default_factory=list)
    url: str | None = None
    handler: str | None = None
    directory: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    timeout: str | None = None
    execution_timeout: str | None = None
    concurrency: int | None = None
    memory: int | None = None
    durable: bool | None = None

    def toml(self) -> str:
        settings: dict[str, Any] = {
            "command": [str(part) for part in self.command] or None,
            "url": self.url,
            "handler": self.handler,
            "directory": self.directory and str(self.directory),
            "timeout": self.timeout,
            "execution_timeout": self.execution_timeout,
            "concurrency": self.concurrency,
            "memory": self.memory,
            "durable": self.durable,
        }
        # JSON's texts, lists, numbers and truth values are TOML's, too.
        lines = [
            f"{key} = {json.dumps(value, ensure_ascii=False)}"
            for key, value in settings.items()
            if value is not None
        ]
        lines.append(f"[functions.{self.name}.environment]")
        lines += [
            f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}"
            for key, value in self.environment.items()
        ]
        return "\n".join([f"[functions.{self.name}]", *lines, ""])


def scripted(name: str, **settings: Any) -> Function:
    """A function that does what its input says, see `durable-cli/test-function/main.rs`."""
    return Function(name, command=[PROGRAMS / "scripted-function"], **settings)


def rust(name: str, handler: str, **settings: Any) -> Function:
    """A durable function in Rust by its id in `tests/conformance/src/handlers`, such as `echo` or `relay`."""
    return Function(name, command=[PROGRAMS / "conformance-bootstrap"], handler=handler, **settings)


def python(name: str, handler: str, directory: Path, **settings: Any) -> Function:
    """A function in Python, such as `app.handler`, run by AWS's runtime interface client."""
    command: list[str | Path] = [sys.executable, "-m", "awslambdaric", handler]
    return Function(name, command=command, handler=handler, directory=directory, **settings)


class Server:
    """A `durable dev` with a data directory of its own."""

    def __init__(self, directory: Path, functions: Iterable[Function]) -> None:
        self.directory = directory
        self.log = directory / "server.log"
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        table = "\n".join(function.toml() for function in functions)
        (directory / "durable.toml").write_text(table, encoding="utf-8")

    # Its process

    def start(self) -> None:
        """Starts it and waits until it is ready. After the first time it gets the same port again."""
        port = self.url.rpartition(":")[2] or "0"
        command = [DURABLE, "dev", "--port", port, "--config", self.directory / "durable.toml"]
        with self.log.open("ab") as log:
            begin = log.tell()
            self._process = subprocess.Popen(
                [*command, "--data", self.directory / "data"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | CREDENTIALS,
            )

        def announced() -> str | None:
            said = self.log.read_bytes()[begin:].decode(errors="replace")
            for line in said.splitlines(keepends=True):
                if "AWS_ENDPOINT_URL_LAMBDA=" in line and line.endswith("\n"):
                    return line.rpartition("=")[2].strip()
            assert self._process is not None and self._process.poll() is None, f"it ended:\n{said}"
            return None

        self.url = until(announced, "the server to be ready")

    def kill(self) -> None:
        """Ends it as `kill -9` does. Its functions' processes end with it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Asks it to stop, which ends its functions' processes too."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kills it and starts it again, on the same data and port."""
        self.kill()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(LIMIT)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    # Its API, through boto3

    def client(self) -> botocore.client.BaseClient:
        """boto3's client of AWS Lambda, for this server.

        Nothing is tried twice, so that tests see what is refused, and every answer is checked against the model.
        """
        return _client(self.url)

    def start_execution(
        self, function: str, payload: Any = None, name: str | None = None
    ) -> str:
        """Starts an execution by an event and gives its ARN."""
        return self._invoke(function, payload, name, "Event")["DurableExecutionArn"]

    def run(self, function: str, payload: Any = None, name: str | None = None) -> Any:
        """Runs an execution to its end and gives its result; fails when the execution did."""
        answer = self._invoke(function, payload, name, "RequestResponse")
        body = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, body
        return body

    def _invoke(self, function: str, payload: Any, name: str | None, kind: str) -> dict[str, Any]:
        named = {"DurableExecutionName": name} if name else {}
        return self.client().invoke(
            FunctionName=function,
            Qualifier="$LATEST",
            InvocationType=kind,
            Payload=json.dumps(payload),
            **named,
        )

    def execution(self, arn: str) -> dict[str, Any]:
        return self.client().get_durable_execution(DurableExecutionArn=arn)

    def wait_for(
        self, arn: str, status: str = "SUCCEEDED", timeout: float = LIMIT
    ) -> dict[str, Any]:
        """Waits until an execution has a status; fails at once when it ends with another one."""

        def reached() -> dict[str, Any] | None:
            execution = self.execution(arn)
            if execution["Status"] == status:
                return execution
            ended = execution["Status"] in TERMINAL
            assert not ended, f"{execution['Status']}, not {status}\n{self.describe(arn)}"
            return None

        return until(reached, f"{arn} to be {status}", timeout, lambda: self.describe(arn))

    def result(self, arn: str, timeout: float = LIMIT) -> Any:
        """The result of an execution, once it has succeeded."""
        return json.loads(self.wait_for(arn, timeout=timeout)["Result"])

    def error(self, arn: str, timeout: float = LIMIT) -> dict[str, Any]:
        """The error of an execution, once it has failed."""
        return self.wait_for(arn, "FAILED", timeout)["Error"]

    def history(self, arn: str) -> list[dict[str, Any]]:
        """All events of an execution, with their data."""
        pages = self.client().get_paginator("get_durable_execution_history")
        pages = pages.paginate(DurableExecutionArn=arn, IncludeExecutionData=True)
        return [event for page in pages for event in page["Events"]]

    def wait_for_event(
        self, arn: str, kind: str, count: int = 1, timeout: float = LIMIT
    ) -> dict[str, Any]:
        """Waits for the `count`th event of a type, such as `CallbackStarted`."""

        def came() -> dict[str, Any] | None:
            events = [event for event in self.history(arn) if event["EventType"] == kind]
            return events[count - 1] if len(events) >= count else None

        return until(came, f"{count} × {kind}", timeout, lambda: self.describe(arn))

    def callback_id(self, arn: str, count: int = 1) -> str:
        """The id of the `count`th callback that an execution waits for."""
        event = self.wait_for_event(arn, "CallbackStarted", count)
        return event["CallbackStartedDetails"]["CallbackId"]

    # What only this server has

    def logs(self, arn: str) -> str:
        """What was written during an execution."""
        path = urllib.parse.quote(arn, safe="")
        url = f"{self.url}/_durable/durable-executions/{path}/logs"
        with urllib.request.urlopen(url, timeout=LIMIT) as answer:
            return answer.read().decode()

    def describe(self, arn: str) -> str:
        """The history in short, for messages of failed tests."""
        lines = [f"history of {arn}:"]
        for event in self.history(arn):
            details = next((event[key] for key in event if key.endswith("Details")), {})
            name = event.get("Name", "")
            lines.append(f"  {event['EventId']:>3} {event['EventType']} {name} {details}")
        return "\n".join(lines)


#: The servers that run now: their logs are shown when a test fails.
RUNNING: list[Server] = []


@contextlib.contextmanager
def running(directory: Path, functions: Iterable[Function]) -> Iterator[Server]:
    """A server that runs until the block ends."""
    server = Server(directory, functions)
    RUNNING.append(server)
    try:
        server.start()
        yield server
    finally:
        RUNNING.remove(server)
        server.stop()


@functools.cache
def _client(url: str) -> botocore.client.BaseClient:
    session = boto3.session.Session(
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=CREDENTIALS["AWS_REGION"],
    )
    config = botocore.config.Config(
        read_timeout=LIMIT, connect_timeout=5, retries={"total_max_attempts": 1}, proxies={}
    )
    client = session.client("lambda", endpoint_url=url, config=config)
    model.watch(client)
    return client


def until(
    attempt: Callable[[], T | None],
    what: str,
    timeout: float = LIMIT,
    describe: Callable[[], str] = lambda: "",
) -> T:
    """Asks again and again until there is an answer."""
    deadline = time.monotonic() + timeout
    while True:
        answer = attempt()
        if answer is not None:
            return answer
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}\n{describe()}"
        time.sleep(0.02)


def event_types(events: Iterable[dict[str, Any]]) -> list[str]:
    return [event["EventType"] for event in events]


def counted(events: Iterable[dict[str, Any]]) -> collections.Counter[str]:
    """How many events there are of each type."""
    return collections.Counter(event_types(events))
