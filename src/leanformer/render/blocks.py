"""All blocks of a report: energy, effort and work, and the optional measurements."""

from __future__ import annotations

from leanformer.measurements import MEASUREMENTS
from leanformer.render.block import ReportBlock
from leanformer.render.energy import EFFORT_HEADER, ENERGY_HEADER, break_even, effort_rows, energy_notes, energy_rows
from leanformer.render.leaks import leak_blocks
from leanformer.render.rounds import ROUNDS_HEADER, rounds_notes, rounds_rows
from leanformer.render.work import WORK_HEADER, work_notes, work_rows
from leanformer.report import Report


def blocks(report: Report, spent_usd: float | None = None) -> list[ReportBlock]:
    """The blocks of a report besides its ladder; a report of an earlier version has fewer, or none."""
    paid = [f"{words[0].upper()}{words[1:]}." for words in break_even(report, spent_usd)]
    candidates = [
        *leak_blocks(report),
        ReportBlock(
            "Energy and processor time of answering", ENERGY_HEADER, energy_rows(report), energy_notes(report), (0, 4),
            always=not any(rung.energy for rung in report.rungs),
        ),
        ReportBlock("Rounds", ROUNDS_HEADER, rounds_rows(report), rounds_notes(report), always=True),
        ReportBlock("What making the models took", EFFORT_HEADER, effort_rows(report), paid, (0, 1, 6), always=True),
        ReportBlock("Work", WORK_HEADER, work_rows(report), work_notes(report), always=True),
        *(block for entry in MEASUREMENTS.values() for block in entry.function("shows")(report)),
    ]  # fmt: skip
    return [
        block
        for block in candidates
        if block.rows or (not block.header and block.notes) or (block.notes and block.notes == paid)
    ]
