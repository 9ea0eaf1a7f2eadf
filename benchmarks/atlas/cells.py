"""Cells of toy runs: made once as well, and kept without a record of their sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.xtremedistil.cell_store import Cells
from leanformer.files import write_json


class Unrecorded(Cells):
    """Cells of toy runs, which no page shows: they are kept without a record of their sources."""

    def get(self, settings: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        if not (path := self._path(settings)).is_file():
            write_json(path, {"settings": dict(settings), **make()})
        return dict(json.loads(path.read_text(encoding="utf-8")))
