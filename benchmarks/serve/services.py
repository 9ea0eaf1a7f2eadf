"""Services started for the benchmarks, their processes watched, and load put on them by another process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.paths import ROOT

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Service:
    """A service that answers.

    Attributes:
        log: its standard error, a file.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def workers(self) -> list[int]:
        """Process ids of what it started."""
        pid = self.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def spent(self) -> tuple[float, float]:
        """CPU seconds of our server's front and of its workers, which may be processes or threads beside the first."""
        pid = self.process.pid
        if workers := self.workers:
            return cpu_seconds([pid]), cpu_seconds(workers)
        front = cpu_seconds([f"{pid}/task/{pid}"])
        return front, cpu_seconds([pid]) - front

    def count(self, event: str) -> int:
        """How often its log tells of an event."""
        return self.log.read_text(encoding="utf-8").count(f'"event": "{event}"')


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def ours(artifact: Path, *options: str) -> list[str]:
    """The command of our server."""
    return ["-m", "leanformer", "serve", str(artifact), "--port", "PORT", "--no-access-log", *options]


@contextlib.contextmanager
def started(command: Sequence[str], texts: Path, *, path: str = "/predict") -> Iterator[Service]:
    """Start a service with its port in place of "PORT", wait until it answers, warm it, and end it afterwards.

    Raises `SystemExit` with its log where it does not start, or does not end well.
    """
    port = free_port()
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        with open(log, "wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *(str(port) if word == "PORT" else word for word in command)], env=environment,
                cwd=ROOT, stdout=subprocess.DEVNULL, stderr=stream,
            )  # fmt: skip
        try:
            end = time.monotonic() + 120
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > end:
                        raise SystemExit(f"{' '.join(command)} did not start\n{log.read_text()}") from None
                    time.sleep(0.1)
            # A listening socket may be there before the models are; and the first requests warm everything.
            load(port, texts, "--seconds", "1", "--connections", "8", "--path", path)
            yield Service(process, port, log)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise SystemExit(f"{' '.join(command)} did not end within 60 s") from None


def load(port: int, texts: Path, *options: str) -> dict[str, Any]:
    """What `benchmarks.serve.load` prints, run as a process of its own."""
    command = [sys.executable, "-m", "benchmarks.serve.load", str(port), str(texts), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def cpu_seconds(pids: Sequence[int | str]) -> float:
    """CPU that these processes, or PID/task/TID for a thread, have used so far, in user and system mode."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def memory_bytes(pids: Sequence[int]) -> int:
    """Proportional set size of some processes, those that have just gone left out."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total
