"""The load of a machine, from a /proc/stat and clocks that only the test moves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import leanformer.measure.load as load
from leanformer.measure.load import BUSY_SHARE, Load, LoadWatch

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Machine:
    """Four processors, numbers 0 to 3."""

    def __init__(self, folder: Path) -> None:
        self.path, self.now, self.ours, self.average = folder / "stat", 0.0, 0.0, 0.5
        self.worked = dict.fromkeys(range(4), 0.0)
        self.stolen = 0.0
        self.write()

    def write(self) -> None:
        rows = [
            f"cpu{number} {round(TICKS * seconds)} 0 0 {round(TICKS * self.now)} 77 0 0 "
            f"{round(TICKS * self.stolen) if number == 0 else 0} 0 0"
            for number, seconds in self.worked.items()
        ]
        self.path.write_text("\n".join(["cpu 1 2 3", *rows, "intr 5"]))

    def watch(self, cores: int) -> LoadWatch:
        return LoadWatch(
            cores, stat=self.path, clock=lambda: self.now, own=lambda: self.ours, average=lambda: self.average
        )

    def run(self, seconds: float, ours: float = 0, others: float = 0, stolen: float = 0, processor: int = 0) -> None:
        self.now += seconds
        self.ours += ours
        self.worked[processor] += ours + others
        self.stolen += stolen
        self.write()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(load, "allowed_processors", lambda: {0, 1})
    return Machine(tmp_path)


def test_alone_on_the_machine(machine: Machine):
    watch = machine.watch(2)
    machine.average = 1.9
    machine.run(10, ours=20)
    assert watch.load() == Load(False, 0, 0, 0, (0.5, 1.9), 10, 2, 2)


def test_what_others_take_is_counted_and_called_busy(machine: Machine):
    watch = machine.watch(2)
    machine.run(10, ours=12, others=8)
    found = watch.load()
    assert (found.busy, found.foreign_cpu_seconds, found.taken_share) == (True, 8, 0.4)


def test_what_was_before_is_not_counted(machine: Machine):
    machine.run(100, ours=10, others=190)
    watch = machine.watch(2)
    machine.run(10, ours=20)
    assert watch.load().busy is False


@pytest.mark.parametrize(("others", "busy"), [(2 * BUSY_SHARE * 10, False), (2 * BUSY_SHARE * 10 + 0.1, True)])
def test_the_bound(machine: Machine, others: float, busy: bool):
    watch = machine.watch(2)
    machine.run(10, ours=10, others=others)
    assert watch.load().busy is busy


def test_cores_to_spare_may_be_used_by_others(machine: Machine):
    watch = machine.watch(1)
    machine.run(10, ours=10, others=10)
    found = watch.load()
    assert (found.busy, found.foreign_cpu_seconds, found.taken_share) == (False, 10, 0)
    machine.run(10, ours=10, others=15)
    assert watch.load().busy


def test_processors_that_we_may_not_use_do_not_count(machine: Machine):
    watch = machine.watch(2)
    machine.run(10, ours=20)
    machine.run(10, others=10, processor=3)
    assert watch.load().foreign_cpu_seconds == 0


def test_stolen_time_is_told_apart(machine: Machine):
    watch = machine.watch(1)
    machine.run(10, ours=10, stolen=2)
    found = watch.load()
    assert (found.busy, found.steal_share, found.foreign_cpu_seconds) == (True, 0.1, 0)
    assert found.taken_share == pytest.approx(0.2), "a stolen core is not one to spare"


def test_our_own_ticks_may_be_ahead_of_the_systems(machine: Machine):
    watch = machine.watch(2)
    machine.run(1, ours=1, others=-0.1)
    assert watch.load().foreign_cpu_seconds == 0


@pytest.mark.parametrize("text", [None, "", "cpu0 1 2", "cpu0 a b c d e f g h", "cpu0 0 0 0 0 0 0 0 0"])
def test_where_the_system_does_not_tell_nothing_is_claimed(machine: Machine, text: str | None):
    def no_average() -> float:
        raise OSError

    if text is None:
        machine.path.unlink()
    else:
        machine.path.write_text(text)
    watch = LoadWatch(2, stat=machine.path, clock=lambda: machine.now, own=lambda: 0.0, average=no_average)
    machine.now += 5
    assert watch.load() == Load(None, None, None, None, None, 5, 2, 2)


def test_the_real_one_looks_at_this_machine():
    watch = LoadWatch(1)
    time.sleep(0.05)  # some ticks of the system's clock
    found = watch.load()
    assert found.seconds >= 0 and found.processors >= 1
    stat = Path("/proc/stat")
    if stat.is_file() and any(int(ticks) for ticks in stat.read_text().splitlines()[0].split()[1:]):
        assert found.busy is not None and found.foreign_cpu_seconds is not None
