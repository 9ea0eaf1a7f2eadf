"""Progress on a terminal is one line that is rewritten; in a log it is a line every few seconds at most."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leanformer.progress import Log, Pace, Status, prefixed

pty = pytest.importorskip("pty")

# A job of three statuses within one step, a result, and an error at the end.
JOB = """
import sys
from leanformer.progress import Status, prefixed, live, to_stderr
to_stderr.seconds = 1e9  # however slow this machine is
with live():
    to_stderr("[1/1] student")
    say = prefixed(to_stderr)
    for done in (10, 50, 90):
        say(Status(f"epoch 1/1  {done} %" + " of all the texts" * 9))
    print("the result")
    say(Status("epoch 1/1  95 %"))
    say("epoch 1/1  dev 0.9")
    say(Status("epoch 2/2  5 %"))
    raise SystemExit("error: the loss became nan")
"""
ERASE = "\r\x1b[K"


def on_terminal(command: list[str], *, columns: int = 60, term: str = "xterm", **environment: str) -> str:
    """What a program writes to a terminal of this width that is both of its streams."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": term} | environment
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    process.wait(60)
    os.close(ours)
    return written.decode()


def screen(written: str) -> list[str]:
    """The lines that a terminal shows in the end: carriage returns and "erase to the end of the line" obeyed."""
    lines, column = [""], 0
    rest = written
    while rest:
        if rest.startswith("\x1b[K"):
            lines[-1], rest = lines[-1][:column], rest[3:]
            continue
        letter, rest = rest[0], rest[1:]
        if letter == "\n":
            lines.append("")
        elif letter == "\r":
            column = 0
        else:
            lines[-1] = lines[-1][:column] + letter + lines[-1][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines if line]


def test_a_terminal_has_one_live_line() -> None:
    written = on_terminal([sys.executable, "-c", JOB])
    assert screen(written) == ["[1/1] student", "the result", "    epoch 1/1  dev 0.9", "error: the loss became nan"]
    shown = [line for line in written.split(ERASE) if "%" in line]
    assert len(shown) == 5 and shown[0].startswith("    epoch 1/1  10 %")
    assert max(len(line) for line in shown) == 59  # it never wraps


def test_a_forked_process_writes_though_a_thread_was_writing() -> None:
    code = """
import os, sys, threading
from leanformer.progress import live
with live():
    held, over = threading.Event(), threading.Event()
    def hold():
        with sys.stderr.live._lock:
            held.set()
            over.wait()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    if not (child := os.fork()):
        print("from the child", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    over.set()
    thread.join()
"""
    assert "from the child" in on_terminal([sys.executable, "-c", code])


def test_a_terminal_that_cannot_rewrite_has_a_log() -> None:
    assert "\x1b" not in on_terminal([sys.executable, "-c", JOB], term="dumb")


def test_a_pipe_has_lines_and_few_statuses() -> None:
    done = subprocess.run([sys.executable, "-c", JOB], capture_output=True, text=True, check=False)
    assert done.stdout == "the result\n" and "\x1b" not in done.stderr and "\r" not in done.stderr
    lines = done.stderr.splitlines()
    assert [line.strip()[:19] for line in lines] == [
        "[1/1] student", "epoch 1/1  10 % of ", "epoch 1/1  dev 0.9", "error: the loss bec"
    ]  # fmt: skip


def test_a_log_is_paced_by_the_clock(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr("leanformer.progress.time.monotonic", lambda: now)
    log, pace = Log("stdout", seconds=5.0), Pace(1.0)
    told = []
    for second in range(12):
        now = 100.0 + second / 2
        if pace.due():
            told.append(second)
        log(Status(f"at {second}"))
    log("the end")
    assert capsys.readouterr().out.splitlines() == ["at 0", "at 10", "the end"]
    assert told == [2, 4, 6, 8, 10]


def test_a_status_within_a_step_is_still_one() -> None:
    lines: list[str] = []
    say = prefixed(prefixed(lines.append))
    say(Status("10 %"))
    say("done")
    assert lines == ["        10 %", "        done"] and [type(line) for line in lines] == [Status, str]


@pytest.mark.slow
@pytest.mark.parametrize("terminal", [True, False])
def test_training_shows_it(terminal: bool, tmp_path: Path) -> None:
    """The command itself, with a pace that lets even a tiny model tell every step."""
    from tests.docs.test_docs import write_data
    from tests.making.tiny import tiny_artifact, tiny_dataset

    write_data(tiny_dataset(), tmp_path / "data")
    tiny_artifact(tmp_path / "start")
    program = (
        "from leanformer import progress; progress.Pace.due = lambda self: True; progress.to_stderr.seconds = 1e9; "
    )
    program += "from leanformer.cli.main import main; main()"
    command = [sys.executable, "-c", program, "train", str(tmp_path / "data"), "--encoder", str(tmp_path / "start")]
    command += ["--output", str(tmp_path / "model"), "--epochs", "2", "--batch-size", "20", "--device", "cpu"]
    if terminal:
        written = on_terminal(command, columns=120)
        lines = screen(written)
        shown = [line for line in written.split(ERASE) if "rows/s" in line]
        assert [line[:9] for line in shown] == ["epoch 1/2"] * 6 + ["epoch 2/2"] * 6
    else:
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
        assert sum("rows/s" in line for line in lines) == 1  # the first
    kept = [line for line in lines if line.startswith("epoch") and "rows/s" not in line]
    assert [line[:9] for line in kept] == ["epoch 1/2", "epoch 2/2"]
    if terminal:
        assert "dev accuracy" in lines[-1] and not any("rows/s" in line for line in lines)
