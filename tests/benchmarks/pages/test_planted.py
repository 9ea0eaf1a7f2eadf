"""The tables of planted duplicates say what the result says."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.pages.planted import planted_duplicates


def test_every_row_is_in_its_table(tmp_path: Path) -> None:
    assert "Not measured yet" in planted_duplicates(tmp_path)
    (tmp_path / "data").mkdir()
    shared = {"set": "trec", "texts": 2989, "threshold": 0.8, "brute_force": 1069}
    leaked = {kind: {"exactly": 100.0, "nearly": 100.0} for kind in ("exact", "recased")}
    result = {
        "command": "run it",
        "planted": [shared | {"way": "minhash", "of_brute_force": 0.9981, "not_near": 2}],
        "leaks": [
            {"set": "trec", "n": 300, **leaked, "one word replaced": {"exactly": 0.3, "nearly": 12.0}, "false": 1,
             "again": 3}
        ],
        "time": [
            {"texts": 10_000, "clusters": 9999, "seconds": 1.2, "cpu_seconds": 0.6, "peak_mb": 1312,
             "peak_mb_before": 269}
        ],
    }  # fmt: skip
    (tmp_path / "data" / "duplicates.json").write_text(json.dumps(result))
    page = planted_duplicates(tmp_path)
    assert "| trec | 2,989 | 0.8 | MinHash | 1,069 | 99.8 % | 2 |" in page and "`run it`" in page
    assert "| trec | 300 | 100.0 | 100.0 | 12.0 | 1 | 3 |" in page
    assert "| 10,000 | 9,999 | 1 | 1 | 1,312 | 269 |" in page
