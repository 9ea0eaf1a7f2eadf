"""Ctrl-C at any moment ends in one line and status 130, also while libraries are still being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import leanformer
from leanformer.cli.interrupts import Interrupts
from tests.cli.calling import Command

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")
_BEGIN = """
from leanformer.cli import interrupts, main
class Telling(interrupts.Interrupts):
    def __enter__(self):
        super().__enter__()
        print("begun", flush=True)
        return self
interrupts.Interrupts = Telling
main.main()
"""


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Programs in the background of a shell are born deaf to Ctrl-C, and so are those that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("delay", [0, 0.02, 0.06, 0.12, 0.25, 0.5, 1.0])
def test_at_any_moment(delay: float, tiny_onnx_artifact: Path, folder: Path, tmp_path: Path):
    encoder = tiny_onnx_artifact.parent / "encoder"
    arguments = ("compress", encoder, "--data", folder, "--output", tmp_path / "lean", "--recipe", "distil")
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGIN, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "stopped; give the same command again to go on from here"
    assert "Traceback" not in err and "KeyboardInterrupt" not in err


def test_before_the_commands_are_imported(command: Command, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*streams: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("leanformer.cli.streams.write_anything", interrupt)
    assert command("techniques") == (130, "", "stopped\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_before_anything_can_be_noted(command: Command, monkeypatch: pytest.MonkeyPatch):
    class Interrupting:
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "leanformer.cli.interrupts", Interrupting())  # type: ignore[arg-type]
    assert command("train") == (130, "", "stopped; give the same command again to go on from here\n")


def test_little_is_imported_before_an_interrupt_is_handled():
    """What is, may be interrupted as well, and Python says so in its own way."""
    code = (
        "import sys; before = set(sys.modules); import leanformer.cli.main; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(Path(leanformer.__file__).parents[1])})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {"typing", "signal", "threading", "re", "typer"}.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("error", [ImportError("half an import"), SystemError("a callback"), RuntimeError("caught")])
def test_one_that_came_out_as_another_error(error: Exception, command: Command, monkeypatch: pytest.MonkeyPatch):
    def interrupted(name: str) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt:
            raise error from None

    monkeypatch.setattr("leanformer.catalog.card", interrupted)
    assert command("techniques") == (130, "", "stopped\n")


def test_one_that_cannot_be_raised_where_it_comes(command: Command, monkeypatch: pytest.MonkeyPatch):
    class Interrupting:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)

    def interrupted(name: str) -> None:
        Interrupting()
        time.sleep(10)

    monkeypatch.setattr("leanformer.catalog.card", interrupted)
    assert command("techniques") == (130, "", "stopped\n")


def test_another_way_with_interrupts_is_left_alone():
    def own(number: int, frame: object) -> None:
        pass

    before = signal.signal(signal.SIGINT, own)
    try:
        with Interrupts():
            assert signal.getsignal(signal.SIGINT) is own
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
    thread = threading.Thread(target=lambda: Interrupts().__enter__())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
