"""The C++ compiler of this machine: how it is found, and calls of it with a time limit."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from leanformer.errors import MissingCompilerError
from leanformer.runtime.cores import allowed_cores

VARIABLE = "CXX"
_USUAL = ("c++", "g++", "clang++")
# Upper bound on the memory of one compiler process.
_BYTES_EACH = 512 << 20
_MEMORY, _GROUP_LIMIT = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")


class CompilerTimeoutError(MissingCompilerError):
    """A compiler that did not finish in time."""


class CompilerCall(NamedTuple):
    """A call of the compiler, and the file that it must write."""

    command: Sequence[str]
    target: Path


def find_compiler() -> list[str]:
    """The command: $CXX, or else a compiler on the path.

    Raises `MissingCompilerError` if there is none, or if CXX is not a command.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        named = shlex.split(text)
    except ValueError as error:
        raise MissingCompilerError(f"{VARIABLE}={text!r} is no command ({error})", other_compiler()) from error
    if named:
        if shutil.which(named[0]) is None:
            raise MissingCompilerError(f"{VARIABLE}={text!r}: there is no program {named[0]!r}", other_compiler())
        return named
    for name in _USUAL:
        if shutil.which(name):
            return [name]
    raise MissingCompilerError("the engine native is compiled on the machine that runs it, and no compiler is found")


def other_compiler() -> str:
    """The remedy for a compiler that does not work."""
    named = f"unset {VARIABLE}, or set it to" if os.environ.get(VARIABLE) else f"set {VARIABLE} to"
    return f"{named} a C++ compiler ({VARIABLE}=g++)"


def may_compile() -> bool:
    """Whether there is a compiler, or CXX names one, whose errors are then reported."""
    return bool(os.environ.get(VARIABLE, "").strip()) or any(shutil.which(name) for name in _USUAL)


def identity(command: Sequence[str]) -> str:
    """What distinguishes this compiler, as currently installed, from another one."""
    program = shutil.which(command[0]) or command[0]
    try:
        found = os.stat(program)
    except OSError:
        return program
    return f"{os.path.realpath(program)} {found.st_size} {found.st_mtime_ns}"


def compilers_at_once() -> int:
    """How many compilers to run at once: as many as there are cores, and memory for."""
    free = [value for value in (_number(_MEMORY, "MemAvailable:", 1024), _number(_GROUP_LIMIT, "", 1)) if value]
    return max(1, min(allowed_cores(), min(free, default=_BYTES_EACH) // _BYTES_EACH))


def _number(path: Path, name: str, unit: int) -> int | None:
    """The number after `name` in a system file, times its unit."""
    with suppress(OSError, ValueError, StopIteration):
        line = next(line for line in path.read_text().splitlines() if line.startswith(name))
        return int(line.removeprefix(name).split()[0]) * unit
    return None


def compile_all(jobs: Sequence[CompilerCall], seconds: float, at_once: int = 1) -> None:
    """Run the jobs, `at_once` at a time. No process of theirs is left at the end, however it ends.

    Raises `MissingCompilerError` for a job that fails or writes nothing, `CompilerTimeoutError` if all together take
    longer than `seconds`.
    """
    waiting, end = list(reversed(jobs)), time.monotonic() + seconds
    running: dict[Path, tuple[CompilerCall, subprocess.Popen[bytes]]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.pop()
                running[job.target] = job, _start(job)
            for job, process in list(running.values()):
                if process.poll() is not None:
                    del running[job.target]
                    _check(job, process.returncode)
            if running and time.monotonic() > end:
                command = shlex.join(next(iter(running.values()))[0].command)
                raise CompilerTimeoutError(f"not compiled within {seconds:.0f} seconds: {command}", other_compiler())
            time.sleep(0.01)
    finally:
        for _, process in running.values():
            _end(process)


def _start(job: CompilerCall) -> subprocess.Popen[bytes]:
    with open(_messages(job), "wb") as messages:
        return _open(job.command, messages)


def _open(command: Sequence[str], messages: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        # In a separate process group, so that its child processes can be killed with it.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages, start_new_session=True
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MissingCompilerError(f"{command[0]} cannot be started ({reason})", other_compiler()) from error


def _check(job: CompilerCall, status: int) -> None:
    if status or not (job.target.is_file() and job.target.stat().st_size):
        said = _messages(job).read_bytes().decode(errors="replace").strip()[-2000:]
        reason = f"ended with status {status}" if status else "wrote nothing"
        raise MissingCompilerError(
            f"the native engine does not compile, because this {reason}: {shlex.join(job.command)}\n{said}".strip(),
            other_compiler(),
        )


def _messages(job: CompilerCall) -> Path:
    return job.target.with_name(f"{job.target.name}.txt")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
