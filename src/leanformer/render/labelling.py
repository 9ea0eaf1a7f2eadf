"""A round of `leanformer label` as lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SHOWN = 5


def round_lines(status: Mapping[str, Any]) -> list[str]:
    """What was chosen, what was left out, what is known of the model, and whether to stop (`Proposal.status`)."""
    out = status["left_out"]
    lines = [
        f"round {status['round']}: {status['labelled']:,} rows are labelled, {status['candidates']:,} of "
        f"{status['pool']:,} rows of the pool can be chosen"
    ]
    if evaluated := status["evaluated_lines"]:
        lines.append(f"left out, because they are in dev or test, exactly or nearly: {_rows_on(evaluated)}")
    if out["labelled"] or out["repeated"]:
        lines.append(f"left out: {out['labelled']:,} rows that are labelled already, {out['repeated']:,} repeats")
    if status["unanswered"]:
        lines.append(f"{status['unanswered']:,} rows of earlier rounds have no label yet; they can be chosen again")
    cost = status["cost"]
    lines.append(
        f"strategy {status['strategy']}; {cost['of']}: {cost['mean_chosen']:.1f} per chosen row, "
        f"{cost['mean_candidate']:.1f} per row of the pool, {cost['chosen'] + cost['audit']:,.0f} in all"
    )
    if audit := status["audit"]:
        lines.append(f"last round, drawn at random: {_accuracy(audit)}")
    if chosen := status["chosen"]:
        lines.append(f"last round, chosen: {_accuracy(chosen)}; no estimate of quality, since hard rows are chosen")
    return [*lines, _advice(status)]


def _accuracy(share: Mapping[str, Any]) -> str:
    low, high = share["interval"]
    return (
        f"the model was right on {share['right']:,} of {share['rows']:,} rows before it was trained on them "
        f"({100 * share['accuracy']:.0f} %, 95 % interval {100 * low:.0f} to {100 * high:.0f})"
    )


def _rows_on(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN])) + (", ..." if len(lines) > _SHOWN else "")
    return f"{len(lines):,} {'row (line' if len(lines) == 1 else 'rows (lines'} {shown})"


def _advice(status: Mapping[str, Any]) -> str:
    kappas = status["agreement"]
    if not kappas:
        return "stop: not known yet; the answers of successive rounds are compared from the second labelled round on"
    shown = ", ".join(f"{kappa:.3f}" for kappa in kappas)
    if status["stop"]:
        return f"stop: yes; the answers no longer change (kappa between rounds {shown}): more rows teach little"
    return f"stop: no; the answers still change (kappa between rounds {shown})"
