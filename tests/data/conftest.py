"""Fixtures of the tests of data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.opening import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows, given as (text, label) or text, to a JSON Lines file in the data folder."""

    def write_rows(name: str, *rows: Any) -> Path:
        records = [{"text": row} if isinstance(row, str) else {"text": row[0], "label": row[1]} for row in rows]
        (tmp_path / name).write_text("".join(json.dumps(record) + "\n" for record in records))
        return tmp_path / name

    return write_rows
