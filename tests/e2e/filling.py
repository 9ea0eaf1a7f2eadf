"""Runs a command on a disk that is too small, and again when there is room.

    python -m tests.e2e.filling FOLDER LIMIT SIZE ARGUMENT...

LIMIT is "file": no file may be larger than SIZE bytes; or "disk": FOLDER/disk is a disk of its own of SIZE KiB, in a
namespace that this process must be in (`unshare -rm`). Prints a JSON object: status and standard error of the first
run and of the second, which has all the room it wants, and the content hash of each artifact it wrote, by path.

Each run is a fork of a process that has imported everything.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import leanformer.cli.app  # noqa: F401
from leanformer.artifact import open_artifact
from leanformer.cli.main import main
from leanformer.measure import speed


def run(arguments: list[str], file_bytes: int | None) -> tuple[int, str]:
    """Exit status and standard error; -7 for a bus error."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            _live(arguments, file_bytes, said.fileno())
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read().decode()


def _live(arguments: list[str], file_bytes: int | None, said: int) -> None:
    reading, writing = os.pipe()  # a pipe has no size; what is said must not be cut by the limit that is tried
    if os.fork() == 0:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            while part := pipe.read(65536):
                os.write(said, part)
        os._exit(0)
    os.close(reading)
    os.dup2(writing, 2)
    os.close(writing)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    sys.argv, status = ["leanformer", *arguments], 0
    try:
        main()
    except SystemExit as stop:
        status = int(stop.code or 0)
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode())
        status = 99
    sys.stderr.flush()
    os.close(2)
    os.wait()
    os._exit(status)


def made(folder: Path) -> dict[str, str]:
    return {
        str(path.parent.relative_to(folder)): open_artifact(path.parent).content_hash
        for path in sorted(folder.rglob("leanformer.json"))
    }


def main_program(arguments: list[str]) -> dict[str, Any]:
    folder, limit, size, command = Path(arguments[0]), arguments[1], int(arguments[2]), arguments[3:]
    speed._SETTLE_SECONDS = 0
    torch.set_num_threads(1)
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    if limit == "disk":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)], check=True)
    os.chdir(disk)
    first = run(command, size if limit == "file" else None)
    if limit == "disk":
        subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)
    second = run(command, None)
    return {"first": first, "second": second, "made": made(disk)}


if __name__ == "__main__":
    print(json.dumps(main_program(sys.argv[1:])))
