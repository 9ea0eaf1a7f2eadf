"""A real server process on a free port of the loopback address, its log as it is written, and a small client."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60.0  # no test waits for so long unless it fails
JSON = {"content-type": "application/json"}


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """`leanformer serve ...` as a process; use as a context manager."""

    def __init__(
        self, *arguments: object, environment: dict[str, str] | None = None,
        program: tuple[str, ...] = ("-m", "leanformer", "serve"), command: Sequence[str] = (sys.executable,),
    ) -> None:  # fmt: skip
        self.process = subprocess.Popen(
            [*command, *program, *map(str, arguments), "--port", "0"],
            stderr=subprocess.PIPE, text=True, env=os.environ | (environment or {}),
        )  # fmt: skip
        self.log: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Server:
        self.port = int(self.event("listening")["port"])
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            for pid in self.workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self._reader.join(SECONDS)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.raw.append(line)
                with contextlib.suppress(ValueError):
                    self.log.append(json.loads(line))
                self._more.notify_all()
        with self._more:
            self.raw.append("")
            self._more.notify_all()

    def event(self, name: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """Wait until the log has the `count`th event of that name (and with those fields); that event."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.log if line["event"] == name and fields.items() <= line.items()]

        with self._more:
            self._more.wait_for(lambda: len(found()) >= count or self.raw[-1:] == [""], SECONDS)
            assert len(found()) >= count, f"no {count} {name} in the log:\n{''.join(self.raw)}"
            return found()[count - 1]

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers that were started and not reported lost."""
        started = [line["pid"] for line in self.log if line["event"] == "worker_started" and "pid" in line]
        lost = {line["pid"] for line in self.log if line["event"] == "worker_lost" and "pid" in line}
        return [pid for pid in started if pid not in lost]

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all workers in their tracks, so that accepted work stays unanswered until the block ends."""
        pids = self.workers
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> Reply:  # fmt: skip
        """One request; `body` is bytes, or a value that becomes JSON. A connection of its own unless one is given."""
        one = connection or self.connect()
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            one.request(method, path, content, ({} if body is None else JSON) | (headers or {}))
            answer = one.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            if connection is None:
                one.close()

    def predict(self, inputs: Any, headers: dict[str, str] | None = None, **options: Any) -> Reply:
        return self.ask("POST", "/predict", {"inputs": inputs, **options}, headers)

    def tag(self, inputs: Any, headers: dict[str, str] | None = None, **options: Any) -> Reply:
        return self.ask("POST", "/tag", {"inputs": inputs, **options}, headers)

    def embed(self, inputs: Any, headers: dict[str, str] | None = None, **options: Any) -> Reply:
        return self.ask("POST", "/embed", {"inputs": inputs, **options}, headers)

    def figure(self, name: str) -> float:
        """A figure of /metrics, by its name with its labels."""
        for line in self.ask("GET", "/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that the server does not announce."""
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, f"waited in vain\n{''.join(self.raw)}"
            time.sleep(0.01)


def folder_of(artifact: Path) -> str:
    return f"tiny={artifact}"
