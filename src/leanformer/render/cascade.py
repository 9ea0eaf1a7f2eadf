"""A cascade in words: its thresholds, its promise, and the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leanformer.artifact import Artifact
from leanformer.exits import has_exits
from leanformer.formats import format_of


def without_promise(entry: Mapping[str, Any]) -> str | None:
    """Why a cascade's calibration promises nothing, from its entry in the history; None if it does promise."""
    if entry.get("no_promise"):
        return str(entry["no_promise"])
    options = entry.get("options") or {}
    if entry.get("step") == "export.cascade" and "calibrate" not in options:  # made by an earlier version
        return (
            f"it was calibrated on the {options.get('on', 'dev')} split of its recipe, which may have chosen its models"
        )
    return None


def promise_notes(artifact: Artifact) -> list[str]:
    """A sentence on what a cascade or early exits promise; none for other artifacts, or without a calibration."""
    entry = artifact.history[-1] if artifact.history else {}
    promise = (entry.get("calibration") or {}).get("promise")
    if not (format_of(artifact).members or has_exits(artifact)) or not promise:
        return []
    who, s = ("the cascade", "s") if format_of(artifact).members else ("the early exits", "")
    if why := without_promise(entry):
        return [
            f"{who} make{s} no promise on new texts: {why} (calibrated for: {_bound(promise)}; give a file of "
            "texts that nothing was chosen with, as the option `calibrate`)"
        ]
    return [f"{who} promise{s}: {_bound(promise)}"]


def _bound(promise: Mapping[str, Any]) -> str:
    what = "points of accuracy lost" if promise["of"] == "accuracy" else "per cent of answers changed"
    return f"at most {promise['max_loss']:g} {what}, {100 * promise['confidence']:g} % confidence"


def calibration_lines(
    plan: Mapping[str, Any], calibration: Mapping[str, Any] | None, no_promise: str | None = None,
    names: Sequence[str] | None = None,
) -> list[str]:  # fmt: skip
    """Lines on a plan and its calibration, both as JSON; without a calibration there are none on evidence.

    `names` are those of who answers, the last included; None: numbered members.
    `no_promise` is the reason why the result on these rows is not a promise for new texts.
    """
    lines = []
    named = names is not None
    names = names or [f"member {number}" for number in range(len(plan["thresholds"]) + 1)]
    for number, (threshold, temperature) in enumerate(zip(plan["thresholds"], plan["temperatures"], strict=True)):
        if threshold is None:
            lines.append(f"{names[number]}: not asked")
        else:
            lines.append(
                f"{names[number]}: answers where {plan['measure']} >= {threshold:.6g} (temperature {temperature:.3g})"
            )
    lines.append(f"{names[-1]}: answers the rest")
    if calibration is None:
        return [*lines, "promise: none; thresholds were set by hand"]
    promise, counts = calibration["promise"], calibration["counts"]
    said = _bound(promise)
    if calibration["plan"] is None:
        return [*lines, f"promise: {said}; not shown on {calibration['rows']:,} rows, so the last member answers all"]
    return [
        *lines,
        f"promise: {said}" if no_promise is None else f"promise: none, {no_promise}; on those rows: {said}",
        f"  on {calibration['rows']:,} calibration rows: {counts['lost']} lost, {counts['gained']} gained, "
        f"{counts['changed']} changed; p = {calibration['p']:.4f}, upper limit {100 * calibration['limit']:.2f}",
        _answered(names, calibration["answered"]) if named else f"  went on: {went_on(calibration['answered'])}",
    ]


def _answered(names: Sequence[str], answered: Sequence[float]) -> str:
    shares = zip(names, answered, strict=True)
    return "  answered: " + ", ".join(f"{100 * share:.1f} % {name}" for name, share in shares)


def left_early(layers: Sequence[int], counts: Sequence[int]) -> str:
    """The share of texts that left behind each number of layers, in words; the last count is of those that stayed."""
    total = sum(counts)
    if not total:
        return "nothing was asked"
    return ", ".join(
        f"{100 * count / total:.1f} % behind layer {layer}" for layer, count in zip(layers, counts, strict=False)
    )


def went_on(answered: Sequence[float]) -> str:
    """Given shares or counts of rows by answering member, the share passed on by each but the last, as text."""
    total = sum(answered)
    left, parts = total, []
    for number, count in enumerate(answered[:-1]):
        left -= count
        parts.append(f"{100 * left / total:.1f} % to member {number + 1}" if total else "nothing was asked")
    return ", ".join(parts)
