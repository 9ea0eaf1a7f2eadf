"""The rows of benchmarks/results/runtime.json: what is asked of them, and how they read as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.runtime.interleaved import quartiles

Row = dict[str, Any]

AS_THEY_COME, SORTED, SINGLE, WORKERS = "texts as they come", "sorted by length", "one at a time", "workers"
QUALITY = "quality on dev"
LONG_TOKENS = 512
LONG = {name: f"long texts: {name}, {LONG_TOKENS} tokens" for name in ("20newsgroups", "movie_reviews")}
WORKS = (AS_THEY_COME, SORTED, SINGLE, *LONG.values(), WORKERS, QUALITY)
TUNED = "ours (tuned best)"
# (work, how the peer's name begins) -> what the ratio has to reach, and what it should.
FLOORS: dict[tuple[str, str], tuple[float, float]] = {
    (AS_THEY_COME, "OpenVINO int8"): (2.0, 3.0),
    (AS_THEY_COME, "ONNX Runtime int8"): (3.5, 5.0),
    (AS_THEY_COME, "transformers pipeline"): (12.0, 18.0),
    (SORTED, "OpenVINO int8"): (1.35, 2.0),
    (SORTED, "ONNX Runtime int8"): (2.2, 3.4),
    (SINGLE, "ONNX Runtime int8"): (1.3, 2.6),
    **{(work, ""): (1.1, 1.5) for work in LONG.values()},
    (WORKERS, "one worker"): (1.9, 1.95),
}
MOST_LOST_POINTS = 0.3


def bounds(work: str, peer: str) -> tuple[float, float] | None:
    """Floor and stretch of one comparison, or None where nothing was promised."""
    return next((both for (job, begin), both in FLOORS.items() if job == work and peer.startswith(begin)), None)


def judged(rows: Iterable[Row], cores: int) -> list[Row]:
    """The rows of `TUNED` with the floor, the stretch and whether the floor is met; the others as they are.

    More workers than one cannot be more than `cores` times as fast: a ratio beyond that is noise ("beyond_cores"), and
    meets nothing.
    """
    result = []
    for row in rows:
        both = bounds(row["work"], row["peer_name"]) if row["ours_name"] == TUNED else None
        if both is not None:
            beyond = row["work"] == WORKERS and row["ratio"] > cores
            row = row | {"floor": both[0], "stretch": both[1], "met": row["ratio"] >= both[0] and not beyond}
            row |= {"beyond_cores": True} if beyond else {}
        elif row["work"] == QUALITY and row["ours_name"] == TUNED:
            row = row | {"floor": MOST_LOST_POINTS, "met": row["lost_points"] <= MOST_LOST_POINTS}
        result.append(row)
    return result


def merged(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """The new rows, and the old ones of works that were not measured again, in the order of `WORKS`."""
    again = {row["work"] for row in new}
    kept = [row for row in old if row["work"] not in again]
    return sorted([*kept, *new], key=lambda row: WORKS.index(row["work"]))


def table(rows: Sequence[Row], cores: int) -> list[str]:
    """The lines of a Markdown table: the tuned choice beside each peer, and the floor where there is one."""
    rows = judged(rows, cores)
    lines = ["| work | ours | beside | | ratio (quartiles) | floor |", "|---|---|---|---|---|---|"]
    for row in rows:
        if row["ours_name"] != TUNED:
            continue
        if row["work"] == QUALITY:
            lines.append(
                f"| {row['work']} (n = {row['n']}) | {row['ours']:.2f} % | {row['peer_name']} | {row['peer']:.2f} % | "
                f"lost {row['lost_points']:+.2f} points ({row['lost_low']:+.2f} to {row['lost_high']:+.2f}) | "
                f"{row['floor']:g} points{_verdict(row)} |"
            )
            continue
        low, high = quartiles([a / b for a, b in zip(row["ours_rounds"], row["peer_rounds"], strict=True)])
        floor = f"{row['floor']:g}{_verdict(row)}" if "floor" in row else ""
        lines.append(
            f"| {row['work']} | {row['ours']:,.0f}/s ({row['engine']}) | {beside(row)} | {row['peer']:,.0f}/s | "
            f"{row['ratio']:.2f} ({low:.2f} to {high:.2f}) | {floor} |"
        )
    return lines


def beside(row: Row) -> str:
    """The peer and, where it had a choice, the way that was its best."""
    return f"{row['peer_name']}: {row['peer_way']}" if row.get("peer_way") else str(row["peer_name"])


def ways_table(ways: Sequence[dict[str, Any]]) -> list[str]:
    """Each peer's chosen way at each work beside the others: how many, and by how much the plainest was slower."""
    lines = ["| work | peer | ways | chosen on training texts | over its plainest way |", "|---|---|---|---|---|"]
    for work, peer in dict.fromkeys((way["work"], way["peer"]) for way in ways):
        own = [way for way in ways if (way["work"], way["peer"]) == (work, peer)]
        (best,) = (way for way in own if way["chosen"])
        gain = best["texts_per_second"] / own[0]["texts_per_second"]
        lines.append(f"| {work} | {peer} | {len(own)} | {best['way'] or 'the only one'} | {gain:.2f} |")
    return lines


def _verdict(row: Row) -> str:
    if row.get("beyond_cores"):
        return ", not shown: more than there are cores is noise"
    return "" if row["met"] else ", missed"
