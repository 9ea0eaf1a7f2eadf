"""What else ran on the machine while something was timed: load average, stolen time, and others' processor seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leanformer.runtime.cores import allowed_processors
from leanformer.runtime.free_cores import IDLE, processor_seconds

# Others may take this share of the cores that are timed before a figure counts as one of a busy machine. What they
# take is missing in the figures, more in those of several threads than of one; a tenth is about what rounds on an
# otherwise idle machine differ by, so that less could not be told from that.
BUSY_SHARE = 0.1


@dataclass(frozen=True)
class Load:
    """What else ran; None is what the system does not tell.

    Attributes:
        busy: whether others took more than `BUSY_SHARE` of the cores that were timed.
        taken_share: of those cores, what others took and what the host gave to other machines (steal). Work of others
            on cores that were to spare counts for nothing.
        foreign_cpu_seconds: processor time of other processes, on the processors that this one may use.
        steal_share: of these processors' time, what the host gave to other machines.
        load_average: of one minute, before and after; our own threads are in it, so that it is told and not judged by.
        seconds: how long was looked at. cores: that were timed. processors: that this process may use.
    """

    busy: bool | None
    taken_share: float | None
    foreign_cpu_seconds: float | None
    steal_share: float | None
    load_average: tuple[float, float] | None
    seconds: float
    cores: int
    processors: int

    def to_json(self) -> dict[str, Any]:
        """Its fields; JSON has no pairs, but lists."""
        return asdict(self) | {"load_average": None if self.load_average is None else list(self.load_average)}


class LoadWatch:
    """Looks from when it is made until `load` is asked.

    Args:
        cores: how many the timed programs use.
        stat: /proc/stat, or a file like it.
        clock, own: seconds on the wall; seconds of processor time of this process and of its children that have ended.
        average: the load average of one minute; raises `OSError` where there is none.
    """

    def __init__(
        self,
        cores: int,
        *,
        stat: Path = Path("/proc/stat"),
        clock: Callable[[], float] = time.perf_counter,
        own: Callable[[], float] = lambda: sum(os.times()[:4]),
        average: Callable[[], float] = lambda: os.getloadavg()[0],
    ) -> None:
        self._stat, self._clock, self._own, self._average = stat, clock, own, average
        self._cores, self._processors = cores, allowed_processors()
        self._begun = clock(), own(), self._told(), self._load_average()

    def load(self) -> Load:
        """What was seen so far."""
        begun, own, before, average = self._begun
        seconds, after, average_now = self._clock() - begun, self._told(), self._load_average()
        averages = None if average is None or average_now is None else (average, average_now)
        ours, count = self._own() - own, len(self._processors)
        spent = {} if before is None or after is None else {name: after[name] - before[name] for name in after}
        # Idle or not, time goes by; some sandboxes have the file, with noughts in it.
        if seconds <= 0 or not any(spent.values()):
            return Load(None, None, None, None, averages, seconds, self._cores, count)
        stolen = max(0.0, spent["steal"])
        worked = sum(value for name, value in spent.items() if name not in (*IDLE, "steal"))
        foreign = max(0.0, worked - ours)
        spare = max(0, count - self._cores)
        taken = (max(0.0, foreign / seconds - spare) + stolen / seconds) / self._cores
        return Load(
            taken > BUSY_SHARE, taken, foreign, stolen / (seconds * count), averages, seconds, self._cores, count
        )

    def _told(self) -> dict[str, float] | None:
        return processor_seconds(self._stat, self._processors)

    def _load_average(self) -> float | None:
        try:
            return self._average()
        except (OSError, AttributeError):
            return None
