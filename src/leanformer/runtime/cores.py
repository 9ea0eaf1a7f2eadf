"""How many cores this process may use, and which: affinity and cgroup quota, never the host's total."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

CGROUP, OWN, PROCESSORS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"), Path("/sys/devices/system/cpu")


def allowed_cores(cgroup: Path = CGROUP, own: Path = OWN) -> int:
    """Cores by affinity, limited to the cgroup's CPU quota (version 2 or 1) where there is one; at least 1.

    A quota is rounded down to whole cores: threads that share a fraction of a core are throttled together.
    """
    affinity = len(allowed_processors())
    limit = quota(cgroup, own)
    return max(1, min(affinity, affinity if limit is None else math.floor(limit)))


def default_threads() -> int:
    """The default number of threads: $OMP_NUM_THREADS, but no more than `allowed_cores`.

    If it is a list ("4,2", for nested regions), the first number counts. Any value that is not a positive integer is
    ignored.
    """
    cores = allowed_cores()
    named = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    # No machine has a number of cores with ten or more digits.
    wanted = int(named) if named.isascii() and named.isdigit() and len(named) < 10 else 0
    return min(cores, wanted) if wanted else cores


def allowed_processors() -> set[int]:
    """Numbers of the logical processors that the calling thread may run on."""
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def quota(cgroup: Path = CGROUP, own: Path = OWN) -> float | None:
    """The smallest quota, in cores, of this process's control group and the groups above it; None without one.

    Args:
        cgroup: where the control groups are mounted.
        own: lists the group of this process in each hierarchy, relative to that.
    """
    limits = [_version_2(folder) for folder in _upwards(cgroup, _groups(own).get("", "/"))]
    for name, group in ({"cpu": "/"} | _groups(own)).items():
        if "cpu" in name.split(","):
            limits += [_version_1(folder) for mount in {name, "cpu"} for folder in _upwards(cgroup / mount, group)]
    return min((limit for limit in limits if limit is not None), default=None)


def _groups(own: Path) -> dict[str, str]:
    """Controllers ("cpu,cpuacct"; "" for version 2) -> path of this process's group; empty if unreadable."""
    try:
        lines = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return {}
    return {line[1]: line[2] for line in lines if len(line) == 3}


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """The group's folder and its ancestors up to the mount; in a container, outer groups are not visible."""
    # A group outside the container's namespace is listed as "/../..": only the mount itself is visible.
    parts = [] if ".." in group else [part for part in group.split("/") if part]
    for count in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:count])


def _version_2(folder: Path) -> float | None:
    try:
        limit, period = (folder / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _version_1(folder: Path) -> float | None:
    try:
        limit = int((folder / "cpu.cfs_quota_us").read_text())
        return None if limit < 0 else limit / int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError, ZeroDivisionError):
        return None


def physical_cores(allowed: Iterable[int] | None = None, processors: Path = PROCESSORS) -> list[frozenset[int]]:
    """The allowed logical processors, grouped by physical core, in rising order.

    A processor whose siblings cannot be read (containers may hide them) counts as a separate core.
    """
    left = sorted(allowed_processors() if allowed is None else allowed)
    cores: list[frozenset[int]] = []
    while left:
        core = (_siblings(processors / f"cpu{left[0]}" / "topology") | {left[0]}) & set(left)
        cores.append(frozenset(core))
        left = [processor for processor in left if processor not in core]
    return cores


def _siblings(topology: Path) -> set[int]:
    """Processors of the same core, parsed from a list such as "0,4" or "0-1"; empty if it cannot be read."""
    for name in ("core_cpus_list", "thread_siblings_list"):  # the newer name first
        try:
            spans = [part.split("-") for part in (topology / name).read_text().strip().split(",")]
            return {index for span in spans for index in range(int(span[0]), int(span[-1]) + 1)}
        except (OSError, ValueError):
            continue
    return set()


def places(workers: int, threads: int) -> list[frozenset[int]] | None:
    """For each worker, the processors of its own `threads` physical cores; None where pinning would do harm.

    Workers are pinned only if together they use every physical core that the process may run on. With fewer workers,
    two programs on one machine would both choose the first cores and leave the others idle. They are also not pinned
    where a quota allows fewer cores than the affinity: the processors are then shared, and which ones are free changes.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = physical_cores()
    limit = quota()
    if workers * threads != len(cores) or (limit is not None and limit < len(allowed_processors())):
        return None
    groups = (cores[start : start + threads] for start in range(0, len(cores), threads))
    return [frozenset().union(*group) for group in groups]
