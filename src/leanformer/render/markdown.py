"""A report as Markdown."""

from __future__ import annotations

from leanformer.render.table import HEADER, facts, ladder_rows
from leanformer.report import Report


def report_markdown(report: Report) -> str:
    """The whole report: ladder, facts, choice, notes."""
    parts = [f"# {report.title}", ladder_markdown(report), "\n".join(f"- {fact}" for fact in facts(report))]
    if report.choice is not None:
        parts.append(f"**{report.choice['status'].capitalize()}:** {report.choice['reason']}.")
    last = report.rungs[-1]
    parts.append(
        f"Of the last rung: macro-F1 {100 * last.macro_f1:.2f} ({100 * last.macro_f1_low:.1f} to "
        f"{100 * last.macro_f1_high:.1f}), Matthews correlation {last.matthews:.3f} ({last.matthews_low:.3f} to "
        f"{last.matthews_high:.3f}); the class found least often is `{last.worst_class}`, recall "
        f"{100 * last.worst_class_recall:.1f} %; the tokenizer takes {last.tokenizer_ms_p50:.2f} ms of one text's "
        f"{last.latency_ms_p50:.2f}, and without it {last.inference_per_second:,.0f} texts/s."
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
