"""Functions written with AWS's durable execution SDKs, on a server that hosts them unmodified.

The executions that a test only looks at are begun all at once, when the first test of a language asks for the server:
that is how they would come, and their waits overlap. See `Scenario`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import harness

FUNCTIONS = Path(__file__).resolve().parent / "functions"
#: Where npm puts the JavaScript SDK: nothing is written beside the sources.
NODE_DIRECTORY = harness.ROOT / "target" / "interop-node"
#: How many processes a function may have at the same time.
CONCURRENCY = 6

#: In a scenario's input: a file of the execution's own, which does not exist yet.
FILE = "<file>"


class Scenario:
    """An execution that a test looks at: a scenario of the functions' `handler`, and the rest of its input.

    Made at the top of a test module, so that it is known, and begun, before the first test runs.
    """

    all: list[Scenario] = []

    def __init__(self, scenario: str, function: str = "workflows", **inputs: Any) -> None:
        self.name = scenario
        self.function = function
        self.inputs = inputs
        Scenario.all.append(self)


@dataclass(frozen=True)
class Language:
    """An SDK: how its functions are run, and what it writes into errors."""

    name: str
    #: What precedes the names of the SDK's own errors, and of the workflows', where they are recorded.
    sdk_errors: str
    own_errors: str

    def function(self, name: str, handler: str, **settings: Any) -> harness.Function:
        """The function `handler` of the workflows' module."""
        handler = f"workflows.{handler}"
        settings = {"concurrency": CONCURRENCY, **settings}
        if self.name == "python":
            return harness.python(name, handler, FUNCTIONS / "python", **settings)
        command: list[str | Path] = ["node", "runtime.mjs"]
        directory = node_directory()
        # The AWS SDK will want a newer Node some day, and says so in every log until then.
        environment = {"AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true"}
        return harness.Function(
            name,
            command=command,
            handler=handler,
            directory=directory,
            environment=environment,
            **settings,
        )

    def functions(self) -> list[harness.Function]:
        """What the tests run.

        `workflows`, which runs any scenario; `impatient`, which does, too, but not for long; `echo`, `fail`; and
        functions in Rust to invoke and be invoked by.
        """
        return [
            self.function("workflows", "handler"),
            self.function("impatient", "handler", timeout="3s"),
            self.function("echo", "echo", concurrency=2),
            self.function("fail", "fail", concurrency=1),
            harness.rust("rust-echo", "echo"),
            harness.rust("rust-fail", "failing"),
            harness.rust("rust-relay", "relay"),
        ]

    def operation_error(self, kind: str) -> str:
        """How the SDK records its own error `kind`."""
        return self.sdk_errors + kind

    @property
    def declined(self) -> str:
        """How the SDK records what the workflows fail with."""
        return f"{self.own_errors}Declined"


LANGUAGES = [
    # The SDK for Python records the full names of classes since version 3.
    Language("python", "aws_durable_execution_sdk_python.exceptions.", "workflows."),
    Language("node", "", ""),
]


def only(name: str) -> pytest.MarkDecorator:
    """For a test of what only one of the SDKs has."""
    chosen = [language for language in LANGUAGES if language.name == name]
    return pytest.mark.parametrize("language", chosen, ids=[name], indirect=True, scope="session")


def node_directory() -> Path:
    """A copy of the functions in JavaScript beside the packages they need, as pinned. Skips the test without Node."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: functions in JavaScript can't be run")
    sources = sorted(path for path in (FUNCTIONS / "node").iterdir() if path.is_file())
    NODE_DIRECTORY.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copyfile(source, NODE_DIRECTORY / source.name)
    lock = hashlib.sha256((FUNCTIONS / "node" / "package-lock.json").read_bytes()).hexdigest()
    installed = NODE_DIRECTORY / "node_modules" / ".installed"
    if not installed.exists() or installed.read_text() != lock:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=NODE_DIRECTORY, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        # Last, so that an interrupted installation is repeated.
        installed.write_text(lock)
    return NODE_DIRECTORY


class Host:
    """A server with the functions of one SDK, and the executions that were begun on it."""

    def __init__(self, language: Language, server: harness.Server, directory: Path) -> None:
        self.language = language
        self.server = server
        self._directory = directory
        self._begun: dict[Scenario, Run] = {}
        self._files = 0

    def begin_all(self) -> None:
        self._begun = {
            scenario: self.begin(scenario.name, scenario.function, **scenario.inputs) for scenario in Scenario.all
        }

    def __getitem__(self, scenario: Scenario) -> Run:
        return self._begun[scenario]

    def begin(self, scenario: str, function: str = "workflows", **inputs: Any) -> Run:
        self._files += 1
        file = self._directory / f"{scenario}-{self._files}"
        inputs = {key: str(file) if value is FILE else value for key, value in inputs.items()}
        arn = self.server.start_execution(function, {"scenario": scenario, **inputs})
        return Run(self.server, arn, file)


class Run:
    """An execution."""

    def __init__(self, server: harness.Server, arn: str, file: Path) -> None:
        self.server = server
        self.arn = arn
        #: What `FILE` stands for.
        self.file = file

    def result(self) -> Any:
        return self.server.result(self.arn)

    def error(self) -> dict[str, Any]:
        return self.server.error(self.arn)

    def failure(self) -> tuple[str, str]:
        """Type and message of the error that it failed with."""
        return summary(self.error())

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """All events, once it has ended."""
        harness.until(
            lambda: self.server.execution(self.arn)["Status"] in harness.TERMINAL or None,
            f"the end of {self.arn}",
            describe=lambda: self.server.describe(self.arn),
        )

        # The event of the last invocation may come after the one of the execution's end.
        def complete() -> list[dict[str, Any]] | None:
            events = self.server.history(self.arn)
            last = {event["EventType"] for event in events[-2:]}
            return events if "InvocationCompleted" in last else None

        return harness.until(complete, "the end of the last invocation")

    def shape(self, parent: str | None = None) -> list[str]:
        """Events of operations in order, such as `StepStarted name`; only those inside of `parent` when it is given.

        Without the ends of invocations: one more of them is never wrong.
        """
        others = ("Execution", "Invocation")
        events = [event for event in self.history if not event["EventType"].startswith(others)]
        if parent is not None:
            inside = self._id(parent)
            events = [event for event in events if event.get("ParentId") == inside]
        return [f"{event['EventType']} {event.get('Name', '')}".strip() for event in events]

    def _id(self, name: str) -> str:
        (found,) = {event["Id"] for event in self.history if event.get("Name") == name}
        return found

    def details(self, kind: str, name: str | None = None) -> list[dict[str, Any]]:
        """The details of all events of a type, of one operation when its name is given."""
        return [
            event[f"{kind}Details"]
            for event in self.history
            if event["EventType"] == kind and name in (None, event.get("Name"))
        ]

    def operation(self, name: str) -> dict[str, Any]:
        """The first event of an operation, which has its identity."""
        return next(event for event in self.history if event.get("Name") == name)

    def invocations(self) -> list[str | None]:
        """How each invocation ended: the type of its error, if any."""
        return [
            details.get("Error", {}).get("Payload", {}).get("ErrorType")
            for details in self.details("InvocationCompleted")
        ]


def summary(error: dict[str, Any]) -> tuple[str, str]:
    """Type and message of an error object, also as history wraps it."""
    error = error.get("Payload", error)
    return error["ErrorType"], error["ErrorMessage"]


def errors(details: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    return [summary(each["Error"]) for each in details]


def payload(details: dict[str, Any], member: str = "Result") -> Any:
    """A result or an input of an event, as JSON."""
    return json.loads(details[member]["Payload"])


@pytest.fixture(scope="session", params=LANGUAGES, ids=lambda language: language.name)
def language(request: pytest.FixtureRequest) -> Language:
    return request.param


@pytest.fixture(scope="session")
def sdk(language: Language, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A server with the functions of one SDK; all scenarios have begun on it."""
    directory = tmp_path_factory.mktemp(language.name)
    with harness.running(directory / "server", language.functions()) as server:
        host = Host(language, server, directory)
        host.begin_all()
        yield host
