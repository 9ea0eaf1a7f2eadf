"""A report as Markdown."""

from __future__ import annotations

from leanformer.render.table import HEADER, facts, further_scores, ladder_rows
from leanformer.report import Report


def report_markdown(report: Report) -> str:
    """The whole report: ladder, facts, choice, notes."""
    parts = [f"# {report.title}", ladder_markdown(report), "\n".join(f"- {fact}" for fact in facts(report))]
    if report.choice is not None:
        parts.append(f"**{report.choice['status'].capitalize()}:** {report.choice['reason']}.")
    last = report.rungs[-1]
    parts.append(
        f"Of the last rung: {', '.join(further_scores(last))}; the tokenizer takes {last.tokenizer_ms_p50:.2f} ms of "
        f"one text's {last.latency_ms_p50:.2f}, and without it {last.inference_per_second:,.0f} texts/s."
    )
    if report.notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {note}" for note in report.notes))
    return "\n\n".join(parts) + "\n"


def ladder_markdown(report: Report) -> str:
    """The ladder alone, as a table."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for row in ladder_rows(report):
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines)
