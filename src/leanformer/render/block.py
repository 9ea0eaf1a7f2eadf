"""A part of a report in the form that the page, the Markdown and the terminal share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ReportBlock:
    """A titled table with its notes.

    `words` are the columns that hold words, not figures; `always` marks a block that is there without being requested,
    and that is shown only in the written report, not on the terminal.
    """

    title: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    words: Sequence[int] = (0,)
    always: bool = False
