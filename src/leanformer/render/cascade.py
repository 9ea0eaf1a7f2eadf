"""A cascade in words: its thresholds, what was promised, and on which evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def calibration_lines(plan: Mapping[str, Any], calibration: Mapping[str, Any] | None) -> list[str]:
    """Lines on a plan and its calibration, both as JSON; no evidence is said where there is none."""
    lines = []
    for number, (threshold, temperature) in enumerate(zip(plan["thresholds"], plan["temperatures"], strict=True)):
        if threshold is None:
            lines.append(f"member {number}: not asked")
        else:
            lines.append(
                f"member {number}: answers where {plan['measure']} >= {threshold:.6g} (temperature {temperature:.3g})"
            )
    lines.append(f"member {len(plan['thresholds'])}: answers the rest")
    if calibration is None:
        return [*lines, "promise: none; thresholds were set by hand"]
    promise, counts = calibration["promise"], calibration["counts"]
    what = "points of accuracy lost" if promise["of"] == "accuracy" else "per cent of answers changed"
    said = f"at most {promise['max_loss']:g} {what}, {100 * promise['confidence']:g} % confidence"
    if calibration["plan"] is None:
        return [*lines, f"promise: {said}; not shown on {calibration['rows']:,} rows, so the last member answers all"]
    return [
        *lines,
        f"promise: {said}",
        f"  on {calibration['rows']:,} calibration rows: {counts['lost']} lost, {counts['gained']} gained, "
        f"{counts['changed']} changed; p = {calibration['p']:.4f}, upper limit {100 * calibration['limit']:.2f}",
        f"  went on: {went_on(calibration['answered'])}",
    ]


def went_on(answered: Sequence[float]) -> str:
    """Shares or counts of rows by the member that answered them, as the share that went on from each but the last."""
    total = sum(answered)
    left, parts = total, []
    for number, count in enumerate(answered[:-1]):
        left -= count
        parts.append(f"{100 * left / total:.1f} % to member {number + 1}" if total else "nothing was asked")
    return ", ".join(parts)
