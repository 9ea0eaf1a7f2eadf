"""Where a rung lost quality, as rows of text for the page and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leanformer.report import Rung

GROUP_HEADER = ("group", "n", "reference", "this", "lost", "lost, 95 %", "changed")
FLIP_HEADER = ("row", "text", "label", "reference said", "this says", "surely")
_SHOWN_GROUPS = 12
_SHOWN_LETTERS = 240


def has_loss(rung: Rung) -> bool:
    """Whether any answer differs from the reference's, so that there is something to show."""
    return bool(rung.loss and rung.loss["changed"])


def summary_words(rung: Rung) -> list[str]:
    """Counts, McNemar's test, loyalty and calibration in sentences."""
    loss = rung.loss or {}
    calibration = loss["calibration"]
    said = [
        f"{loss['lost']} texts lost and {loss['gained']} gained of {rung.n}; {loss['changed']} answers changed "
        f"(McNemar's exact test: p = {loss['mcnemar_p']:.3g})",
        f"label loyalty {100 * rung.agreement:.1f} %",
        f"calibration error {100 * calibration['error']:.1f} points",
    ]
    if rung.probability_agreement is not None:
        said[1] += f", probability loyalty {100 * rung.probability_agreement:.1f} %"
    if calibration["temperature"] is not None:
        said[-1] += (
            f"; {100 * calibration['error_scaled']:.1f} with the logits divided by {calibration['temperature']:.2f} "
            "(fitted on dev)"
        )
    return said


def group_rows(groups: Sequence[dict[str, Any]], *, worst_first: bool) -> list[tuple[str, ...]]:
    """One row per group; if there are many classes, those that lost most."""
    order = sorted(groups, key=lambda group: -group["loss"]) if worst_first else list(groups)
    return [
        (
            str(group["name"]),
            str(group["n"]),
            f"{100 * group['reference']:.1f}",
            f"{100 * group['quality']:.1f}",
            f"{100 * group['loss']:+.1f}",
            f"{100 * group['loss_low']:+.1f} to {100 * group['loss_high']:+.1f}",
            str(group["changed"]),
        )
        for group in order[:_SHOWN_GROUPS]
    ]


def flip_rows(rung: Rung, texts: Sequence[str] | None) -> list[tuple[str, ...]]:
    """The changed answers side by side; without the texts, their rows in the test split."""
    return [
        (
            str(flip["row"]),
            "" if texts is None else _cut(texts[flip["row"]]),
            flip["label"],
            flip["reference"] + (" (right)" if flip["reference"] == flip["label"] else ""),
            flip["answer"] + (" (right)" if flip["answer"] == flip["label"] else ""),
            f"{100 * flip['probability']:.0f} %",
        )
        for flip in (rung.loss or {})["flips"]
    ]


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN_LETTERS else flat[: _SHOWN_LETTERS - 1] + "…"
