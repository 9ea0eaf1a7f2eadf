"""A report on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leanformer.render.block import ReportBlock
from leanformer.render.blocks import blocks
from leanformer.render.table import HEADER, facts, ladder_rows
from leanformer.report import Report


def print_report(report: Report, console: Console) -> None:
    """The ladder with its facts and notes; on a narrow terminal as two tables."""
    if console.width >= 140:
        console.print(_table(report, list(HEADER), report.title))
    else:
        console.print(_table(report, [name for name in HEADER if name not in _SECOND], report.title))
        console.print(_table(report, [HEADER[0], *_SECOND], ""))
    for block in blocks(report):
        if not block.always:
            _print_block(block, console)
    for fact in facts(report):
        console.print(fact, style="dim", highlight=False, markup=False)
    if report.choice is not None:
        reason = f"{report.choice['status'].capitalize()}: {report.choice['reason']}."
        console.print(reason, highlight=False, markup=False)
    for note in report.notes:
        console.print(f"Note: {note}", style="dim", highlight=False, markup=False)


def _print_block(block: ReportBlock, console: Console) -> None:
    if block.rows:
        table = Table(title=Text(block.title), title_justify="left")
        for i, name in enumerate(block.header):
            table.add_column(Text(name), justify="left" if i in block.words else "right", overflow="fold")
        for row in block.rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
    for note in block.notes:
        console.print(note, style="dim", highlight=False, markup=False)


# The columns of the second table on a narrow terminal.
_SECOND = ("x step", "x unpadded", "min to max", "p95 ms", "95 % interval", "lost, 95 %", "agree", "dev")


def _table(report: Report, columns: list[str], title: str) -> Table:
    # Names come from the user: as plain text, so that brackets in them are not read as markup.
    table = Table(title=Text(title) if title else None, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name == HEADER[0] else "right", overflow="fold")
    for row in ladder_rows(report):
        table.add_row(*(Text(row[HEADER.index(name)]) for name in columns))
    return table
