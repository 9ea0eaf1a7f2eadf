"""Converts reports of earlier versions, as JSON, to the names and figures of current reports.

Their throughput was the best of the rounds. The median, which they also recorded, replaces it.
"""

from __future__ import annotations

from typing import Any

from leanformer.first_rungs import BATCHED, UNPADDED, present_name

_TORCH = "PyTorch fp32"


def brought_up(report: dict[str, Any]) -> dict[str, Any]:
    """The report in the current version; expects one whose fields have the types of `report.Report`."""
    rungs = report["rungs"]
    names = {rung["name"]: present_name(rung["name"]) for rung in rungs if rung["runtime"].startswith(_TORCH)}
    named = [
        rung | {"name": names.get(rung["name"], rung["name"]), "after": names.get(rung["after"], rung["after"])}
        for rung in rungs
    ]
    choice = report.get("choice")
    if isinstance(choice, dict) and choice.get("rung") in names:
        choice = choice | {"rung": names[choice["rung"]]}
    return report | {"rungs": _by_medians(named)} | ({} if choice is None else {"choice": choice})


def _by_medians(rungs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Factor by which each rung's throughput shrinks; ratios shrink by the quotient of two factors.
    shares = {
        rung["name"]: rung["throughput_median"] / rung["throughput_per_second"]
        for rung in rungs
        if rung.get("rounds") is None and min(rung["throughput_median"], rung["throughput_per_second"]) > 0
    }
    rates = {rung["name"]: rung["throughput_median"] for rung in rungs}
    found = []
    for rung in rungs:
        share = shares.get(rung["name"])
        if share is None:
            found.append(rung)
            continue

        def over(name: str | None, value: float | None, share: float = share) -> float | None:
            return None if value is None else value * share / shares.get(name or "", 1.0)

        batched = rates.get(BATCHED, 0)
        found.append(
            rung
            | {
                "throughput_per_second": rung["throughput_median"],
                "usd_per_100m": rung["usd_per_100m"] / share,
                "speedup": over(rungs[0]["name"], rung["speedup"]),
                "speedup_over_unpadded": over(UNPADDED, rung["speedup_over_unpadded"]),
                "marginal": over(rung["after"] or rungs[0]["name"], rung["marginal"]),
                "over_batched": rung["throughput_median"] / batched if batched > 0 else None,
            }
        )
    return found
