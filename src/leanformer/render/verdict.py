"""The verdict of the ship gate in words."""

from __future__ import annotations

from leanformer.measure.ship_gate import BROKEN, SHOWN, Check, Verdict


def verdict_lines(verdict: Verdict) -> list[str]:
    """One line for the verdict, then one line per check."""
    failed = [check.name for check in verdict.checks if check.status != SHOWN]
    confidence = f"{100 * verdict.bounds.confidence:g} % confidence"
    head = (
        f"SHIP: every bound is shown to hold at {confidence}"
        if verdict.ships
        else f"HOLD: not shown at {confidence}: {', '.join(failed)}"
    )
    return [head, *(f"  {_check_line(check)}" for check in verdict.checks)]


def _check_line(check: Check) -> str:
    if check.name == "changed answers":
        found = f"{check.changed} of {check.n} answers changed ({100 * check.value:.2f} %)"
        limit = f"at most {100 * check.limit:.2f} %, allowed {100 * check.bound:g} %"
    else:
        found = f"{check.lost} lost and {check.gained} gained of {check.n}: {100 * check.value:+.2f} points lost"
        limit = f"at most {100 * check.limit:.2f}, allowed {100 * check.bound:g}"
    return f"{check.name}: {check.status} (p = {check.p:.4f}); {found}; {limit}{_remedy(check)}"


def _remedy(check: Check) -> str:
    if check.status == SHOWN:
        return ""
    if check.status == BROKEN:
        return "; the bound is broken: more texts will not help"
    if check.more is None:
        return "; the loss found is not below the bound: more texts would rather break it than show it"
    return f"; about {check.more:,} more texts would show it, if the model is as good as it looks here"
