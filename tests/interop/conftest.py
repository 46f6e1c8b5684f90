"""What every test here can ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import harness
from by_hand import FunctionByHand

#: Functions written with AWS's SDKs.
pytest_plugins = ["sdk"]

# Those of whoever runs the tests must not reach a client or a function.
os.environ.update(harness.CREDENTIALS)

#: The end of each log that a failed test shows.
SHOWN = 20_000


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., harness.Server]]:
    """Starts a server with the given functions, until the end of the test."""
    with ExitStack() as servers:

        def start(*functions: harness.Function) -> harness.Server:
            directory = tmp_path / f"server-{len(harness.RUNNING)}"
            return servers.enter_context(harness.running(directory, functions))

        yield start


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., harness.Server]]:
    """As `serve`, until the end of the module: for tests that don't disturb each other."""
    with ExitStack() as servers:

        def start(*functions: harness.Function) -> harness.Server:
            directory = tmp_path_factory.mktemp("server")
            return servers.enter_context(harness.running(directory, functions))

        yield start


@pytest.fixture
def by_hand(serve: Callable[..., harness.Server]) -> Iterator[FunctionByHand]:
    """A function whose invocations the test answers itself; it ends before the servers do."""
    function = FunctionByHand()
    try:
        yield function
    finally:
        function.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Shows what the servers and their functions wrote when a test fails."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for server in harness.RUNNING:
        if server.log.exists():
            said = server.log.read_bytes()[-SHOWN:].decode(errors="replace")
            report.sections.append((f"log of {server.url or 'a server'}", said))
