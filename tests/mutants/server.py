"""Runs pytest again and again, each time in a child of one process that has the large libraries loaded already.

Started by its path, with names of libraries; it loads nothing of ours, so that each child loads what is there then.
Reads a JSON line for each run, {arguments, environment, output, seconds}, and answers with one: {code}, that of
pytest, or minus the signal that ended it; {"code": null} where it had to be ended after so many seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from importlib.metadata import entry_points
from typing import Any


def run(job: dict[str, Any]) -> None:
    """Be the child: a group of its own, output into a file, and the end with pytest's code."""
    os.setsid()
    output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(job["environment"])
    import pytest

    code = int(pytest.main(job["arguments"]))
    sys.stdout.flush()
    os._exit(code)


def wait(child: int, seconds: float) -> int | None:
    """The code of the child, which is ended with all that it started when it takes longer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def main() -> None:
    sys.path = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]
    for name in ("pytest", *sys.argv[1:]):
        importlib.import_module(name)
    for plugin in entry_points(group="pytest11"):
        plugin.load()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            run(job)
        answers.write(json.dumps({"code": wait(child, job["seconds"])}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
