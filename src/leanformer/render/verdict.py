"""The verdict of the ship gate in words."""

from __future__ import annotations

from collections.abc import Sequence

from leanformer.measure.bounds import BROKEN, CHANGED, SHOWN, Check, Figure, Verdict


def verdict_lines(verdict: Verdict, lost: Sequence[str] = ()) -> list[str]:
    """One line for the verdict, then one line per check, and one per figure that has no bound.

    Args:
        lost: classes that the reference finds and the model does not, for which it is held although its bounds hold.
    """
    level = verdict.bounds.level
    failed = [check.name for check in verdict.checks if check.p > level]
    confidence = f"{100 * verdict.bounds.confidence:g} % confidence"
    if failed:
        head = f"HOLD: not shown at {confidence}: {', '.join(failed)}"
    elif lost:
        head = f"HOLD: every bound is shown to hold at {confidence}, but it loses {', '.join(lost)}"
    else:
        head = f"SHIP: every bound is shown to hold at {confidence}"
    return [
        head,
        *(f"  {_check_line(check, level)}" for check in verdict.checks),
        *(f"  {_figure_line(figure, confidence)}" for figure in verdict.figures),
    ]


def _check_line(check: Check, level: float) -> str:
    unit = 100 if check.points else 1
    if check.name == CHANGED:
        found = f"{check.changed} of {check.n} answers changed ({100 * check.value:.2f} %)"
        limit = f"{_limit(check, ' %')}, allowed {100 * check.bound:g} %"
    else:
        rows = f"of {check.n}" if check.lost is None else f"{check.lost} lost and {check.gained} gained of {check.n}"
        found = f"{rows}: {_lost(check.value, check.points)}"
        limit = f"{_limit(check)}, allowed {unit * check.bound:g}"
    return f"{check.name}: {check.status} (p = {check.p:.4f}); {found}; {limit}{_remedy(check, level)}"


def _lost(value: float, points: bool) -> str:
    return f"{100 * value:+.2f} points lost" if points else f"{value:+.4f} worse"


def _limit(check: Check, unit: str = "") -> str:
    if check.limit is None:
        return "no limit with so few texts"
    return f"at most {100 * check.limit:.2f}{unit}" if check.points else f"at most {check.limit:.4f}"


def _figure_line(figure: Figure, confidence: str) -> str:
    lost = _lost(figure.loss, figure.points)
    if figure.low is None or figure.high is None:
        return f"{figure.name}, not bounded: {lost} ({confidence} needs more texts)"
    unit, digits = (100, 2) if figure.points else (1, 4)
    low, high = (f"{unit * limit:+.{digits}f}" for limit in (figure.low, figure.high))
    return f"{figure.name}, not bounded: {lost} ({low} to {high} at {confidence})"


def _remedy(check: Check, level: float) -> str:
    if check.status == SHOWN:
        return ""
    if check.p <= level:
        return "; shown by itself, but not together with the other bounds (Holm)"
    if check.status == BROKEN:
        return "; the bound is broken: more texts will not help"
    if check.more is None and check.value < check.bound:
        return "; no number of texts like these would show it: add texts that can lose something"
    if check.more is None:
        return "; the loss found is not below the bound: more texts would rather break it than show it"
    return f"; about {check.more:,} more texts would show it, if the model is as good as it looks here"
