"""How many cores this process may use: affinity and cgroup quota, never the host's total."""

from __future__ import annotations

import math
import os
from pathlib import Path


def allowed_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores by affinity, cut to the cgroup's CPU quota (version 2 or 1) where there is one; at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(affinity, affinity if quota is None else math.floor(quota)))


def _quota(cgroup: Path) -> float | None:
    """The quota in cores; None where there is none or it cannot be read."""
    try:
        if (cgroup / "cpu.max").is_file():
            limit, period = (cgroup / "cpu.max").read_text().split()
        else:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        return None if limit in ("max", "-1") else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
