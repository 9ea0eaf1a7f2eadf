"""The table of selected rows says what the result says."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.pages.selection import selection


def test_every_way_has_a_row(tmp_path: Path) -> None:
    assert "Not measured yet" in selection(tmp_path)
    (tmp_path / "data").mkdir()
    shared = {"set": "trec", "model": "n-grams", "rows": 2000, "accuracy": 87.25, "classes": 6, "n": 500}
    over_all = {"over_all": -1.0, "over_all_low": -2.04, "over_all_high": 0.06}
    rows = [
        shared | {"way": "all", "share": 1.0},
        shared | {"way": "easy rows", "share": 0.5, "gain": -3.1, "gain_low": -4.0, "gain_high": -2.2} | over_all,
    ]
    result = {"command": "run it", "encoder": "MiniLM", "seeds": [1, 2, 3], "rows": rows}
    (tmp_path / "data" / "selection.json").write_text(json.dumps(result))
    page = selection(tmp_path)
    assert "| trec | n-grams | all | 2,000 | 87.2 |  |  |" in page and "`run it`" in page and "3 seeds" in page
    assert "| trec | n-grams | 50 %, easy rows | 2,000 | 87.2 | -3.1 (-4.0 to -2.2) | -1.0 (-2.0 to +0.1) |" in page
