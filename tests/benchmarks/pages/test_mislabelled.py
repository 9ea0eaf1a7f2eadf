"""The tables of label errors say what the results say."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.pages.mislabelled import mislabelled

FOUND = {"average_precision": 0.876, "base_rate": 0.1, "suspects": 503, "precision": 0.83, "recall": 0.76}
SYSTEM = {"accuracy": 0.81, "over_noisy_low": -0.004, "over_noisy_high": 0.0311}
SYSTEMS = ("noisy", "clean", "dropped (x)", "relabelled (x)", "dropped at random, as many as by x")


def test_every_set_has_a_row(tmp_path: Path) -> None:
    assert "Not measured yet" in mislabelled(tmp_path)
    (tmp_path / "data").mkdir()
    sets = {
        "trec": {
            "rows": 5452, "labels": 6, "features": {"x": {"mean": FOUND | {"in_sample": 0.4}, "seeds": []}},
            "effect": {"n": 500, "systems": dict.fromkeys(SYSTEMS, SYSTEM)},
        },
        "wikiann/en": {"rows": 9, "labels": 7, "features": {"x": {"mean": FOUND | {"in_sample": 0.5}, "seeds": []}}},
        "news": {"rows": 700, "labels": 20, "features": {"x": FOUND}},
    }  # fmt: skip
    (tmp_path / "data" / "label_errors.json").write_text(json.dumps({"command": "run it", "sets": sets}))
    page = mislabelled(tmp_path)
    assert "| trec | 5,452 | 6 | x | 0.88 | 0.10 | 0.40 | 503 | 0.83 | 0.76 |" in page
    assert "| wikiann/en | 9 | 7 | x | 0.88 | 0.10 | 0.50 | 503 | 0.83 | 0.76 |" in page
    assert "| news | 700 | 20 | x | 0.88 | 0.10 | 503 | 0.83 | 0.76 |" in page and "`run it`" in page
    cell = "81.0 (-0.4 to +3.1)"
    assert f"| trec | 500 | x | 81.0 | {cell} | {cell} | {cell} | {cell} |" in page
    for line in page.splitlines():
        assert len(line) <= 120 or line.startswith("|")
