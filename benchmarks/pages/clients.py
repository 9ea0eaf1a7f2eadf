"""The table of clients for docs/how-to/serve.md."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.pages.markdown import table


def clients(results: Path) -> str:
    """A row for each call of `clients.json`; a call that did not work tells why."""
    rows = json.loads((results / "clients.json").read_text(encoding="utf-8"))
    return table(
        ("client", "version", "call", "answered as documented"),
        [
            (f"`{row['client']}`", row["version"], f"`{row['call']}`", "yes" if row["ok"] else f"no: {_why(row)}")
            for row in rows
        ],
    )


def _why(row: dict[str, str]) -> str:
    return row.get("error", "another answer").replace("|", "\\|").replace("\n", " ")
