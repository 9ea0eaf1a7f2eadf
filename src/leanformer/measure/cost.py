"""What requests cost at a stated price of the machine."""

from __future__ import annotations

from typing import Any

# 0.677 USD per hour for 16 virtual cores (Azure F16s v2): the price behind the tables of FastFormers
# (arXiv 2010.13382), kept as the default so that ladders can be read side by side.
DEFAULT_USD_PER_CORE_HOUR = 0.677 / 16


def price(usd_per_hour: float | None, threads: int) -> dict[str, Any]:
    """The hourly price of the cores used, and on what basis it stands."""
    if usd_per_hour is not None:
        return {"usd_per_hour": usd_per_hour, "basis": "given by the user"}
    return {
        "usd_per_hour": round(DEFAULT_USD_PER_CORE_HOUR * threads, 6),
        "basis": f"{threads} of 16 cores at 0.677 USD per hour (Azure F16s v2, the price used by FastFormers)",
    }


def usd_per_100m(throughput_per_second: float, usd_per_hour: float) -> float:
    """USD for 100 million texts at this throughput."""
    return 1e8 / throughput_per_second / 3600 * usd_per_hour
