"""The tables of families and of early exits say what the results say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.pages.sizes import early_exits, members

MACHINE = {"machine": {"cpu": "A CPU", "instruction_sets": ["avx2"]}, "load": {"busy": True}}


def stored(folder: Path, name: str, value: dict[str, Any]) -> None:
    (folder / "family").mkdir(exist_ok=True)
    (folder / "family" / name).write_text(json.dumps(value))


def test_members_stand_beside_their_twins(tmp_path: Path) -> None:
    assert "Not measured yet" in members(tmp_path)
    member = {
        "depth": 0.5, "width": 0.25, "latency_ms": 0.2, "predicted_ms": 0.17, "speedup": 113.04, "bytes": 14_663_142,
        "dev": 87.16, "quality": 87.6, "twin_quality": 91.2, "gain": -3.6, "low": -6.4, "high": -0.8,
    }  # fmt: skip
    family = {
        "set": "trec", "seeds": [13], "n": {"test": 500}, "steps": 616, "cpu_seconds": 450.8,
        "twins_cpu_seconds": 393.8, "teacher": {"test": 96.4}, "members": [member],
    }  # fmt: skip
    stored(tmp_path, "trec.json", family | MACHINE)
    stored(tmp_path, "latency_model.json", {})
    page = members(tmp_path)
    assert "| trec | 0.5 | 0.25 | 0.20 (0.17) | 113.0 | 14.7 | 87.2 | 87.6 | 91.2 | -3.6 (-6.4 to -0.8) |" in page
    assert "1 seed," in page and "busy while" in page


def test_exits_have_a_row_for_each_bound(tmp_path: Path) -> None:
    assert "Not measured yet" in early_exits(tmp_path)
    speed = {batch: {"engine": {"speedup": float(place)}} for place, batch in enumerate(("1", "all"), start=1)}
    rows = [{"bound": 0.5, "refused": "why"}, {"bound": 2.0, "dev": 93.76, "test": 95.8, "speed": speed}]
    each = {
        "set": "trec", "n": {"dev": 545, "test": 500}, "without": {"dev": 93.94, "test": 96.4, "speed": speed},
        "rows": rows, "chosen": 2.0,
    }  # fmt: skip
    stored(tmp_path, "exits.json", {"sets": [each], "points": 0.5} | MACHINE | {"load": {"busy": False}})
    page = early_exits(tmp_path)
    assert "| trec | **2 %** | 93.8 | 95.8 | 1.00 / 2.00 |" in page and "| trec | 0.5 % | | | refused" in page
    assert page.endswith("trec: 545 dev and 500 test texts, one seed. Machine: A CPU (avx2).")
