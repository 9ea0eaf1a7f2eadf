"""The table of clients says of each call whether it was answered, and why not."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.pages.clients import clients


def test_what_did_not_work_is_told(tmp_path: Path):
    rows = [
        {"client": "one", "version": "1.0", "call": "ask(text)", "ok": True},
        {"client": "two", "version": "2.0", "call": "ask(texts)", "ok": False},
        {"client": "two", "version": "2.0", "call": "list()", "ok": False, "error": "KeyError: 'a|b'\nmore"},
    ]
    (tmp_path / "clients.json").write_text(json.dumps(rows))
    assert clients(tmp_path).splitlines()[2:] == [
        "| `one` | 1.0 | `ask(text)` | yes |",
        "| `two` | 2.0 | `ask(texts)` | no: another answer |",
        "| `two` | 2.0 | `list()` | no: KeyError: 'a\\|b' more |",
    ]
