"""Whether cores are free at the moment: only then do more threads help with a single text."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

from leanformer.runtime.cores import allowed_processors

_EVERY_SECONDS = 0.25
# A core that other processes use up to half of the time counts as free.
_SLACK = 0.5


class FreeCores:
    """Measures how much other processes used the allowed processors since the last check, at most every 0.25 s.

    If the system does not report it (no /proc/stat), and until the second check, all processors count as free.

    Args:
        stat: lines "cpuN user nice system idle iowait irq softirq steal ..." in clock ticks since boot.
        clock, own: wall-clock seconds, and seconds of processor time used by this process.
    """

    def __init__(
        self,
        stat: Path = Path("/proc/stat"),
        clock: Callable[[], float] = time.monotonic,
        own: Callable[[], float] = time.process_time,
    ) -> None:
        self._stat, self._clock, self._own = stat, clock, own
        self._processors = allowed_processors()
        self._last = (clock(), own(), self._busy())
        self._free = float(len(self._processors))

    def __call__(self, threads: int) -> bool:
        """Whether `threads` threads can run now without waiting for other processes."""
        before, own, busy = self._last
        now = self._clock()
        if now - before >= _EVERY_SECONDS:
            self._last = now, self._own(), self._busy()
            _, own_now, busy_now = self._last
            if busy is not None and busy_now is not None:
                others = max(0.0, busy_now - busy - (own_now - own)) / (now - before)
                self._free = len(self._processors) - others
        return self._free >= threads - _SLACK

    def _busy(self) -> float | None:
        """Seconds that the allowed processors have been busy since boot; None if the system does not report it."""
        told = processor_seconds(self._stat, self._processors)
        return None if told is None else sum(value for name, value in told.items() if name not in IDLE)


STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
# Waiting for a disk counts as idle.
IDLE = ("idle", "iowait")


def processor_seconds(stat: Path, processors: Collection[int]) -> dict[str, float] | None:
    """Seconds that `processors` have spent in each of `STATES` since boot; None if the system does not report it.

    Args:
        stat: /proc/stat, or a file like it.
    """
    try:
        lines = [line.split() for line in stat.read_text(encoding="ascii").splitlines()]
        rows = [
            [int(field) for field in line[1:9]]
            for line in lines
            if line[0][:3] == "cpu" and line[0][3:].isdigit() and int(line[0][3:]) in processors
        ]
        ticks = os.sysconf("SC_CLK_TCK")
        return {name: sum(column) / ticks for name, column in zip(STATES, zip(*rows, strict=True), strict=True)}
    except (OSError, ValueError, IndexError, AttributeError):
        return None
