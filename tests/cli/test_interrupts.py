"""Ctrl-C at any moment ends in one line and status 130, also while libraries are still being imported.

Whatever sends a signal is a process of its own: one that comes late must not end the tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import leanformer
from tests.making.commands import Command

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")
# Programs in the background of a shell are born deaf to Ctrl-C, and so are those that they start.
_BEGIN = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from leanformer.cli import interrupts, main
def interrupt(*ignored):
    os.kill(os.getpid(), signal.SIGINT)
"""
_TELLING = """
class Telling(interrupts.Interrupts):
    def __enter__(self):
        super().__enter__()
        print("begun", flush=True)
        return self
interrupts.Interrupts = Telling
main.main()
"""
STOPPED = (130, "", "stopped\n")


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _BEGIN + code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def ending(code: str, *arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a process."""
    process = start(code, *arguments)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.mark.parametrize(
    "delay", [0, 0.4, *(pytest.param(n, marks=pytest.mark.slow) for n in (0.02, 0.06, 0.12, 0.2, 1.0))]
)
def test_at_any_moment(delay: float, tiny_onnx_artifact: Path, folder: Path, tmp_path: Path):
    encoder = tiny_onnx_artifact.parent / "encoder"
    arguments = ("compress", encoder, "--data", folder, "--output", tmp_path / "lean", "--recipe", "distil")
    process = start(_TELLING, *arguments)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, ""), err
    assert err.splitlines()[-1] == "stopped; run the same command again to resume"
    assert "Traceback" not in err and "KeyboardInterrupt" not in err


def test_before_the_commands_are_imported():
    code = "from leanformer.cli import streams; streams.write_anything = interrupt; main.main()"
    assert ending(code, "techniques") == STOPPED


def test_before_anything_can_be_noted(command: Command, monkeypatch: pytest.MonkeyPatch):
    class Interrupting:
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "leanformer.cli.interrupts", Interrupting())  # type: ignore[arg-type]
    assert command("train") == (130, "", "stopped; run the same command again to resume\n")


def test_between_the_handler_and_what_it_guards():
    code = """
class Interrupting(interrupts.Interrupts):
    def __enter__(self):
        super().__enter__()
        interrupt()
        return self
interrupts.Interrupts = Interrupting
main._run = lambda: time.sleep(10)
main.main()
"""
    assert ending(code, "techniques") == STOPPED


def test_another_one_while_the_process_ends():
    code = """
import atexit
atexit.register(interrupt)
class Stream:
    def __init__(self, stream):
        self.stream = stream
    def write(self, text):
        interrupt()
        return self.stream.write(text)
    def __getattr__(self, name):
        return getattr(self.stream, name)
stop = main._stop
def again():
    sys.stderr = Stream(sys.stderr)
    stop()
main._stop = again
from leanformer.cli import streams
streams.write_anything = interrupt
main.main()
"""
    assert ending(code, "techniques") == STOPPED


@pytest.fixture
def interrupted_import(tmp_path: Path) -> Path:
    """A folder with a module in whose middle an interrupt comes."""
    (tmp_path / "library.py").write_text(
        "import os, signal, time\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "for _ in range(40): time.sleep(0.01)\n"
        "print('imported', flush=True)\n"
    )
    return tmp_path


_IMPORT = """
from leanformer import catalog
def use(name):
    sys.path.insert(0, sys.argv.pop())
    import library
    time.sleep(10)
    print("not stopped")
catalog.card = use
"""


@pytest.mark.slow
def test_one_in_an_import_waits_for_its_end(interrupted_import: Path):
    assert ending(_IMPORT + "main.main()", "techniques", interrupted_import) == (130, "imported\n", "stopped\n")


def test_an_import_that_takes_too_long_is_not_waited_for(interrupted_import: Path):
    code = _IMPORT + "interrupts._PATIENCE_SECONDS = 0.1; main.main()"
    assert ending(code, "techniques", interrupted_import) == STOPPED


def test_none_comes_after_the_block():
    code = """
interrupts._SOON_SECONDS = 0.2
with interrupts.Interrupts(main._run, main._stop_at_once) as noted:
    interrupt()  # outside of what is guarded
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
time.sleep(0.5)
print(noted.seen)
"""
    assert ending(code) == (0, "True\n", "")


def test_little_is_imported_before_an_interrupt_is_handled():
    """What is, may be interrupted as well, and Python says so in its own way."""
    code = (
        "import sys; before = set(sys.modules); import leanformer.cli.main; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(Path(leanformer.__file__).parents[1])})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {"typing", "signal", "threading", "re", "typer"}.isdisjoint(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize("error", ["ImportError('half')", "SystemError('a callback')", "RuntimeError('caught')"])
def test_one_that_came_out_as_another_error(error: str):
    code = f"""
from leanformer import catalog
def interrupted(name):
    try:
        interrupt()
        time.sleep(10)
    except KeyboardInterrupt:
        raise {error} from None
catalog.card = interrupted
main.main()
"""
    assert ending(code, "techniques") == STOPPED


def test_one_that_cannot_be_raised_where_it_comes():
    code = """
from leanformer import catalog
class Interrupting:
    def __del__(self):
        interrupt()
        time.sleep(10)
def interrupted(name):
    Interrupting()
    time.sleep(10)
catalog.card = interrupted
main.main()
"""
    assert ending(code, "techniques") == STOPPED


def test_another_way_with_interrupts_is_left_alone():
    code = """
import threading
def own(number, frame):
    pass
def blocks():
    with interrupts.Interrupts(main._run, main._stop_at_once):
        print(signal.getsignal(signal.SIGINT) is own)
signal.signal(signal.SIGINT, own)
blocks()
signal.signal(signal.SIGINT, signal.default_int_handler)
thread = threading.Thread(target=interrupts.Interrupts(main._run, main._stop_at_once).__enter__)
thread.start()
thread.join()
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    assert ending(code) == (0, "True\nTrue\n", "")
