"""What else ran on the machine during a timing: load average, stolen time, and processor seconds of other processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leanformer.runtime.cores import allowed_processors
from leanformer.runtime.free_cores import IDLE, processor_seconds

# Other processes may take this share of the timed cores before figures count as taken on a busy machine. Their time
# lowers the figures, those of several threads more than those of one. A tenth is about how much rounds differ on an
# otherwise idle machine, so a smaller effect could not be distinguished.
BUSY_SHARE = 0.1


@dataclass(frozen=True)
class Load:
    """What else ran; a field is None if the system does not report it.

    Attributes:
        busy: whether others took more than `BUSY_SHARE` of the timed cores.
        taken_share: share of those cores taken by other processes, and by the host for other machines (steal). Work of
            others on spare cores does not count.
        foreign_cpu_seconds: processor time of other processes, on the processors that this one may use.
        steal_share: share of these processors' time that the host gave to other machines.
        load_average: of one minute, before and after; reported but not used for `busy`, as it includes our own threads.
        seconds: length of the observation. cores: timed cores. processors: number that this process may use.
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
        """Its fields; pairs become lists."""
        return asdict(self) | {"load_average": None if self.load_average is None else list(self.load_average)}


class LoadWatch:
    """Observes from its creation until `load` is called.

    Args:
        cores: number of cores that the timed programs use.
        stat: /proc/stat, or a file like it.
        clock, own: wall-clock seconds; processor seconds of this process and of its finished children.
        average: the load average of one minute; raises `OSError` if there is none.
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
        """The load observed so far."""
        begun, own, before, average = self._begun
        seconds, after, average_now = self._clock() - begun, self._told(), self._load_average()
        averages = None if average is None or average_now is None else (average, average_now)
        ours, count = self._own() - own, len(self._processors)
        spent = {} if before is None or after is None else {name: after[name] - before[name] for name in after}
        # Idle time counts too, so the sum must grow; some sandboxes have the file, but filled with zeros.
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
