"""Whether cores are free, on a made-up /proc/stat and clocks that are set by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leanformer.runtime.free_cores import FreeCores


class Machine:
    """Two processors (0 and 1) of this process and one (2) of others, with seconds of work each."""

    def __init__(self, folder: Path) -> None:
        self.stat, self.now, self.own = folder / "stat", 0.0, 0.0
        self.busy = {0: 0.0, 1: 0.0, 2: 0.0}
        self.write()

    def write(self) -> None:
        ticks = os.sysconf("SC_CLK_TCK")
        lines = [f"cpu{i} {int(busy * ticks)} 0 0 {int(self.now * ticks)} 7 0 0 0" for i, busy in self.busy.items()]
        self.stat.write_text("cpu 1 2 3 4 5 6 7 8\n" + "".join(f"{line}\n" for line in lines) + "intr 5 0\nctxt 9\n")

    def passes(self, seconds: float, *, busy: tuple[float, float, float], own: float) -> None:
        self.now, self.own = self.now + seconds, self.own + own
        self.busy = {i: self.busy[i] + spent for i, spent in enumerate(busy)}
        self.write()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    return Machine(tmp_path)


def looker(machine: Machine) -> FreeCores:
    return FreeCores(machine.stat, lambda: machine.now, lambda: machine.own)


def test_others_work_takes_cores(machine: Machine):
    free = looker(machine)
    assert free(2), "all count as free until there has been a second look"
    machine.passes(1, busy=(1, 0.8, 0), own=0.2)
    assert not free(2) and free(0)
    machine.passes(1, busy=(0.9, 0.1, 0), own=0)
    assert free(1) and not free(2)
    machine.passes(1, busy=(0, 0.2, 0), own=0)
    assert free(2)


def test_our_own_work_does_not_count_nor_that_on_other_processors(machine: Machine):
    free = looker(machine)
    machine.passes(1, busy=(1, 1, 1), own=2)
    assert free(2)


def test_it_looks_no_more_often_than_it_needs(machine: Machine):
    free = looker(machine)
    machine.passes(1, busy=(1, 1, 0), own=0)
    assert not free(2)
    machine.passes(0.1, busy=(0, 0, 0), own=0)
    machine.stat.unlink()  # would be seen
    assert not free(2)


def test_a_system_that_does_not_tell_has_free_cores(machine: Machine):
    machine.stat.write_text("cpu0 what\n")
    free = looker(machine)
    machine.now = 5.0
    assert free(2)
    assert FreeCores(machine.stat.parent / "none")(2)
