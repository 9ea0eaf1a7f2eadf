"""The tables of the fine-tuning bench for docs/atlas.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.atlas.entries import Technique
from benchmarks.pages.markdown import NOT_YET, table, technique_lines

_QUALITY = ("technique", "set", "accuracy", "control", "difference, 95 % interval", "verdict", "seeds", "n", "rate")
_COST = (
    "technique", "set", "trained", "KB a task", "merged", "training, CPU s", "ms a step", "peak MB", "ms a text",
    "MFLOPs", "parameters",
)  # fmt: skip
_ARE = """MiniLM (`all-MiniLM-L6-v2`), all techniques for the same steps of 16 rows on the same batches, AdamW without
weight decay, one thread: {sets}. A seed draws the rows, the head and the order. The
learning rate is the best of three on 200 rows of dev with the first seed, and has a star where it is the lowest or
highest of them, beyond which others may be better; test is read once, merged where a technique merges.
The head is trained in every row. Steps are equal and few: a technique that needs more of them is worse
here than it would be after a longer training."""
_COST_IS = """"Trained" leaves out the head; "KB a task" is what is stored for one task beside a shared model, with
the head. Training and a step are in CPU time; peak memory is that of the process, with imports and the
copies of the model that the choice of the rate keeps. MFLOPs are those of a text of 16 tokens by
PyTorch's counter, which leaves out elementwise work and LSTMs."""


def tables(techniques: Sequence[Technique], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Quality, then what it costs."""
    sets = {row["set"]: row for row in rows}
    told = "; ".join(
        f"{name} with {row['per_class'] or 'all'} rows of each class for {row['steps']} steps"
        for name, row in sets.items()
    )
    parts = [
        _ARE.format(sets=told or NOT_YET),
        "### Quality",
        table(_QUALITY, technique_lines(techniques, rows, _scores, _QUALITY)),
    ]
    return [*parts, "### Cost", _COST_IS, table(_COST, technique_lines(techniques, rows, _cost, _COST))]


def _scores(row: Mapping[str, Any]) -> tuple[str, ...]:
    spread = "" if row["deviation"] is None else f" ± {row['deviation']:.1f}"
    gain = "-" if row["verdict"] is None else f"{row['difference']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})"
    rates = [float(rate) for rate in row["dev"]]
    star = " *" if len(rates) > 1 and row["rate"] in (min(rates), max(rates)) else ""
    return (
        row["technique"], row["set"], f"{row['quality']:.1f}{spread}", f"{row['control_quality']:.1f}", gain,
        row["verdict"] or "the control", str(len(row["seeds"])), f"{row['n']:,}", f"{row['rate']:g}{star}",
    )  # fmt: skip


def _cost(row: Mapping[str, Any]) -> tuple[str, ...]:
    merged = "-" if row["verdict"] is None else "yes" if row["merges"] else "no"
    return (
        row["technique"], row["set"], f"{row['trained']:,}", f"{row['task_bytes'] / 1000:,.0f}", merged,
        f"{row['train_cpu_seconds']:.1f}", f"{row['step_ms']:.0f}", f"{row['peak_mb']:,}", f"{row['infer_ms']:.1f}",
        f"{row['flops'] / 1e6:.0f}", f"{row['parameters']:,}",
    )  # fmt: skip
