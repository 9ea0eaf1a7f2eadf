"""What the tests of the commands share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., tuple[int, str, str]]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def is_friendly(status: int, out: str, err: str) -> None:
    """One message for the user on standard error, nothing on standard output, no traceback."""
    assert status == 1
    assert out == ""
    assert err.startswith("error: ")
    assert "Traceback" not in err
