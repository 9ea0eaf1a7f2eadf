"""The cells of a bench: the table that is made of them, and those of toy runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.xtremedistil.cell_store import Cells
from leanformer.files import write_json


class Unrecorded(Cells):
    """Cells of toy runs, which no page shows: they are kept without a record of their sources."""

    def get(self, settings: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        if not (path := self._path(settings)).is_file():
            write_json(path, {"settings": dict(settings), **make()})
        return dict(json.loads(path.read_text(encoding="utf-8")))


def write_table(
    result: Path, cells: Cells, table: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Store the table of all cells made so far, whichever run made them; its rows."""
    made = cells.all()
    rows = table(made)
    result.parent.mkdir(parents=True, exist_ok=True)
    write_json(result, {"rows": rows, "cells": made})
    return rows
