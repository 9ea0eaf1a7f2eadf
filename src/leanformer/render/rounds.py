"""The spread of a ladder's figures over the rounds, and the gain from a warm word cache."""

from __future__ import annotations

from leanformer.render.table import number, spread
from leanformer.report import Report, Rung

ROUNDS_HEADER = (
    "rung", "rounds", "texts/s", "min to max", "word cache warm", "without tokenizer", "x, 95 %",
    "over batched PyTorch, 95 %", "x step, 95 %", "p50 ms, min to max",
)  # fmt: skip


def rounds_rows(report: Report) -> list[tuple[str, ...]]:
    """One row per rung; none for a report of an earlier version."""
    return [
        (
            rung.name,
            str(len(rung.rounds.get("throughput", {}))),
            number(rung.throughput_per_second),
            spread(rung, "throughput"),
            "-" if rung.throughput_warm is None else number(rung.throughput_warm),
            number(rung.inference_per_second),
            _interval(rung, "speedup"),
            _interval(rung, "over_batched"),
            _interval(rung, "marginal"),
            spread(rung, "latency"),
        )
        for rung in report.rungs
        if rung.rounds is not None
    ]


def rounds_notes(report: Report) -> list[str]:
    """The meaning of the columns."""
    if not any(rung.rounds for rung in report.rungs):
        return []
    return [
        "Each rung was timed once in a round, in another order in each; texts/s is the median of its rounds. Slow ways "
        "to run PyTorch were timed in every other round; those that might be chosen in further rounds, until the "
        "choice was sure or the time for it was over.",
        "x, over batched PyTorch and x step are medians of the ratios of the rounds that both were timed in; 95 %: "
        "bootstrap of that median (of few rounds, their smallest and largest).",
        "Word cache warm: the same texts again, all of whose words the tokenizer's cache then knows.",
    ]


def _interval(rung: Rung, name: str) -> str:
    found = (rung.intervals or {}).get(name)
    return "-" if found is None else f"{found[0]:.2f} to {found[1]:.2f}"
