"""Blocks of a report that the page, the Markdown and the terminal show alike: a title, a table, sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leanformer.render.energy import EFFORT_HEADER, ENERGY_HEADER, break_even, effort_rows, energy_notes, energy_rows
from leanformer.render.losses import GROUP_HEADER
from leanformer.render.on_request import (
    GAP_HEADER,
    ROBUSTNESS_HEADER,
    STABILITY_HEADER,
    WORK_HEADER,
    churn_words,
    gap_rows,
    robustness_rows,
    slice_names,
    slice_rows,
    stability_notes,
    stability_rows,
    work_notes,
    work_rows,
)
from leanformer.report import Report


@dataclass(frozen=True)
class Block:
    """A titled table with the sentences that belong to it.

    `words` are the columns that hold words, not figures; `always` tells a block that nobody asked for, and that the
    terminal leaves to the written report.
    """

    title: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    words: Sequence[int] = (0,)
    always: bool = False


def blocks(report: Report, spent_usd: float | None = None) -> list[Block]:
    """What the report has beside its ladder; a report of an earlier version has fewer, or none."""
    paid = [f"{one[0].upper()}{one[1:]}." for one in break_even(report, spent_usd)]
    columns = [
        Block(f"By {name}", ("rung", *GROUP_HEADER), slice_rows(report, name), words=(0, 1))
        for name in slice_names(report)
    ]
    found = [
        Block(
            "Energy and processor time of answering", ENERGY_HEADER, energy_rows(report), energy_notes(report), (0, 4),
            always=not any(rung.energy for rung in report.rungs),
        ),
        Block("What making the models took", EFFORT_HEADER, effort_rows(report), paid, (0, 1, 6), always=True),
        Block("Work", WORK_HEADER, work_rows(report), work_notes(report), always=True),
        *columns,
        Block("Gaps between groups", GAP_HEADER, gap_rows(report), words=(0, 1)),
        Block("Seed churn", notes=churn_words(report)),
        Block("Robustness", ROBUSTNESS_HEADER, robustness_rows(report), words=(0, 1)),
        Block("Stability of answers", STABILITY_HEADER, stability_rows(report), stability_notes(report), (0, 1, 4)),
    ]  # fmt: skip
    return [one for one in found if one.rows or (not one.header and one.notes) or (one.notes and one.notes == paid)]
