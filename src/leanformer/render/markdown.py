"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from leanformer.render.blocks import blocks
from leanformer.render.quoted import cell, plain
from leanformer.render.table import HEADER, facts, further_scores, ladder_rows
from leanformer.report import Report


def report_markdown(report: Report, spent_usd: float | None = None) -> str:
    """The whole report: ladder, facts, choice, further measurements, notes.

    `spent_usd` is the cost of the compression itself; None takes the cost of its steps.
    """
    parts = [
        f"# {plain(report.title)}",
        ladder_markdown(report),
        "\n".join(f"- {plain(fact)}" for fact in facts(report)),
    ]
    if report.choice is not None:
        parts.append(f"**{report.choice['status'].capitalize()}:** {plain(report.choice['reason'])}.")
    last = report.rungs[-1]
    parts.append(
        f"Of the last rung: {', '.join(further_scores(last))}; the tokenizer takes {last.tokenizer_ms_p50:.2f} ms of "
        f"one text's {last.latency_ms_p50:.2f}, and without it {last.inference_per_second:,.0f} texts/s."
    )
    parts += blocks_markdown(report, spent_usd)
    if report.notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {plain(note)}" for note in report.notes))
    return "\n\n".join(parts) + "\n"


def ladder_markdown(report: Report) -> str:
    """The ladder alone, as a table."""
    return table_markdown(HEADER, ladder_rows(report))


def blocks_markdown(report: Report, spent_usd: float | None = None) -> list[str]:
    """The blocks of the report besides its ladder, as paragraphs; none for a report of an earlier version."""
    parts = []
    for block in blocks(report, spent_usd):
        parts.append(f"## {block.title}")
        if block.rows:
            parts.append(table_markdown(block.header, block.rows))
        if block.notes:
            parts.append("\n".join(f"- {plain(note)}" for note in block.notes))
    return parts


def table_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, with special characters escaped."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell(content) for content in cells) + " |"

    return "\n".join([line(header), "|" + "---|" * len(header), *(line(row) for row in rows)])
