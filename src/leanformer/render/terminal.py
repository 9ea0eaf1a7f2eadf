"""A report on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leanformer.render.table import HEADER, facts, ladder_rows
from leanformer.report import Report


def print_report(report: Report, console: Console) -> None:
    """The ladder with the facts that belong to it. Narrow terminals get the columns that matter most."""
    rows = ladder_rows(report)
    shown = [i for i in range(len(HEADER)) if console.width >= 140 or HEADER[i] not in _WIDE_ONLY]
    # Names come from the user: as plain text, so that brackets in them are not taken for markup.
    table = Table(title=Text(report.title), title_justify="left")
    for i in shown:
        table.add_column(HEADER[i], justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[i]) for i in shown))
    console.print(table)
    for fact in facts(report):
        console.print(fact, style="dim", highlight=False, markup=False)
    if report.choice is not None:
        reason = f"{report.choice['status'].capitalize()}: {report.choice['reason']}."
        console.print(reason, highlight=False, markup=False)


_WIDE_ONLY = ("x step", "x unpadded", "p95 ms", "95 % interval", "lost, 95 %", "agree", "dev")
