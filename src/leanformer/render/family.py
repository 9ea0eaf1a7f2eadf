"""The members of a family as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from leanformer.tune.family import Family
from leanformer.tune.pick import Pick


def pick_lines(family: Family, picked: Pick) -> list[str]:
    """A line for each member, the picked one marked, and why it was picked."""
    rows = [("", "member", "layers", "heads", "units", "dev", "lost", "MB", "ms", "predicted", "texts/s")]
    for timed in picked.members:
        member = timed.member
        heads, units = zip(*member.layers, strict=True)
        rows.append((
            "*" if timed is picked.chosen else "", member.name, str(len(member.layers)), _span(heads), _span(units),
            f"{100 * member.quality:.2f}", f"{member.drop:+.2f}", f"{member.bytes / 1e6:.1f}",
            f"{timed.latency_ms:.3f}", "-" if member.predicted_ms is None else f"{member.predicted_ms:.3f}",
            f"{timed.throughput_per_second:,.0f}",
        ))  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in
                  enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]  # fmt: skip
    return [
        *lines,
        f"dev: {family.metric} of {family.n} texts in hundredths; lost: points against the teacher; ms, texts/s: here",
        f"{picked.chosen.member.name}: {picked.reason}",
    ]


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}-{high}"
