"""A function whose invocations a test answers itself: it sees the envelopes and has the tokens."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness import LIMIT, Function


class Invocation:
    """An invocation that waits for its answer."""

    def __init__(self, envelope: Any, headers: dict[str, str]) -> None:
        self.envelope = envelope
        self.headers = headers
        self._answer: queue.Queue[bytes | None] = queue.Queue(1)

    @property
    def arn(self) -> str:
        return self.envelope["DurableExecutionArn"]

    @property
    def token(self) -> str:
        return self.envelope["CheckpointToken"]

    @property
    def operations(self) -> list[dict[str, Any]]:
        return self.envelope["InitialExecutionState"]["Operations"]

    def answer(self, answer: Any) -> None:
        self._answer.put(json.dumps(answer).encode())

    def succeed(self, result: Any = None) -> None:
        self.answer({"Status": "SUCCEEDED", "Result": json.dumps(result)})

    def suspend(self) -> None:
        self.answer({"Status": "PENDING"})

    def abandon(self) -> None:
        """Closes the connection without an answer, unless there is one already."""
        with contextlib.suppress(queue.Full):
            self._answer.put_nowait(None)

    def _wait(self) -> bytes | None:
        try:
            return self._answer.get(timeout=LIMIT)
        except queue.Empty:
            return None


class FunctionByHand:
    """The HTTP endpoint behind such a function."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Invocation] = queue.Queue()
        self._given: list[Invocation] = []
        given = self._waiting

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                invocation = Invocation(json.loads(body), headers)
                given.put(invocation)
                answer = invocation._wait()
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def function(self, name: str, **settings: Any) -> Function:
        return Function(name, url=f"http://127.0.0.1:{self._server.server_port}/", **settings)

    def next(self, timeout: float = LIMIT) -> Invocation:
        """Waits for an invocation."""
        try:
            invocation = self._waiting.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no invocation came for {timeout} s") from None
        self._given.append(invocation)
        return invocation

    def close(self) -> None:
        for invocation in self._given:
            invocation.abandon()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
