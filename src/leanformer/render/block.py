"""A part of a report that the page, the Markdown and the terminal show alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ReportBlock:
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
