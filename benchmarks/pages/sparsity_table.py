"""The tables of the bench of sparsity and bits for docs/atlas.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.atlas.entries import Technique
from benchmarks.pages.markdown import NOT_YET, table, technique_lines

_QUALITY = (
    "technique", "set", "accuracy", "bits a weight", "MB", "dense of as many bytes (MB)", "difference, 95 % interval",
    "verdict", "seeds", "n",
)  # fmt: skip
_BESIDE = (
    "technique", "set", "against the model in fp16, 95 % interval", "plain way to as many bytes", "its accuracy (MB)",
    "difference, 95 % interval", "making, CPU s", "time of a text",
)  # fmt: skip
_ARE = """MiniLM (`all-MiniLM-L6-v2`) is fine-tuned for {steps} steps of {batch} rows, one thread; a technique is
applied to it, or is a training of as many steps from the pre-trained encoder (XTC and BiT: of as many again,
from the fine-tuned model's answers, which the control does not see;
lottery tickets: from a mask of that model). The control has the first layers of MiniLM with
their largest feed-forward units, trained for the same steps, and as many bytes in fp16 or a little less. Bytes are
those of the whole file: maps as the technique stores them, values and scales in 16 bits, masks and indices counted;
the word table in int8 by row; the rest in fp16. Bits a weight are those of the maps, with scales and
indices. Test is read once for each technique but two, which were changed after a first reading: optimal BERT surgeon,
whose damping was then chosen by the loss on other training texts, and soft movement, whose strength was then set for a
quarter of the weights. These are few steps: the dense control is undertrained, so look at the plain way as well, and
techniques that learn a mask, which have thousands of steps in their papers, still change it when most are over.
Eight rows were measured again after mistakes in them had been mended: RigL, gradual pruning,
low rank, ternary and binary weights, XTC, FP8 and SmoothQuant."""
_BESIDE_ARE = """The model in fp16 is the one that a technique is applied to. The plain way leaves weights, units or
components out at random in the same pattern, or rounds to the nearest. Few bits and single zeros are simulated: no
engine here multiplies with them, so they are not faster on this CPU. Times are those of PyTorch, text by text."""


def tables(techniques: Sequence[Technique], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Quality beside the control, then beside the whole model and the plain way."""
    sizes = rows[0]["sizes"] if rows else {"steps": NOT_YET, "batch": NOT_YET}
    quality = ["### Quality", table(_QUALITY, technique_lines(techniques, rows, _scores, _QUALITY))]
    beside = ["### Beside the model in fp16 and the plain way", _BESIDE_ARE]
    return [
        _ARE.format(**sizes),
        *quality,
        *beside,
        table(_BESIDE, technique_lines(techniques, rows, _others, _BESIDE)),
    ]


def _scores(row: Mapping[str, Any]) -> tuple[str, ...]:
    spread = "" if row["deviation"] is None else f" ± {row['deviation']:.1f}"
    return (
        row["technique"], row["set"], f"{row['quality']:.1f}{spread}", f"{row['bits_a_weight']:.2f}",
        _mb(row["bytes"]), f"{row['control_quality']:.1f} ({_mb(row['control_bytes'])})", _gain(row), row["verdict"],
        str(len(row["seeds"])), f"{row['n']:,}",
    )  # fmt: skip


def _others(row: Mapping[str, Any]) -> tuple[str, ...]:
    plain = ("-", "-", "-")
    if "plain" in row:
        plain = (row["plain"], f"{row['plain_quality']:.1f} ({_mb(row['plain_bytes'])})", _gain(row, "plain_"))
    return row["technique"], row["set"], _gain(row, "dense_"), *plain, f"{row['cpu_seconds_made']:.0f}", row["time"]


def _gain(row: Mapping[str, Any], of: str = "") -> str:
    return f"{row[of + 'difference']:+.1f} ({row[of + 'low']:+.1f} to {row[of + 'high']:+.1f})"


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"
