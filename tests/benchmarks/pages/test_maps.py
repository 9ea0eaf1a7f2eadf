"""The table of data maps says what the result says."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.pages.maps import map_measures


def test_every_measure_has_a_row(tmp_path: Path) -> None:
    assert "Not measured yet" in map_measures(tmp_path)
    (tmp_path / "data").mkdir()
    measures = {
        "confidence": {"average_precision": 0.876, "precision": 0.8, "seeds": [], "seeds_agree": 0.912},
        "random order": {"average_precision": 0.1, "precision": 0.09, "seeds": []},
    }
    trec = {"rows": 2000, "seeds": [1, 2], "cpu_seconds": 199.6, "measures": measures}
    sets = {"trec": trec | {"agree_with_confidence": {"confidence": 1.0}}}
    result = {"command": "run it", "encoder": "MiniLM", "sets": sets}
    (tmp_path / "data" / "maps.json").write_text(json.dumps(result))
    page = map_measures(tmp_path)
    assert "| trec | 2,000 | 2 | confidence | 0.88 | 0.80 | 0.91 | 1.00 |" in page
    assert "| trec | 2,000 | 2 | random order | 0.10 | 0.09 |  |  |" in page and "`run it`" in page
    assert "200 CPU seconds on trec" in " ".join(page.split())
