"""Tables about labelling, from results of two sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.pages.labelling import active, curves
from leanformer.files import write_json


def arm(area: list[float], reached: int | None, stops: list[int | None]) -> dict[str, Any]:
    return {
        "area": 70.0, "area_minus_random": area, "first_minus_random": area, "curve": [60.0, 80.0],
        "labels_to_reach": reached, "stops": stops, "lowest_minus_random": area[1],
    }  # fmt: skip


def test_what_is_not_measured_is_said(tmp_path: Path) -> None:
    assert active(tmp_path) == curves(tmp_path) == "Not measured yet."


def test_strategies(tmp_path: Path) -> None:
    arms = {
        "random": arm([0.0, 0.0, 0.0], None, [None, None]), "margin": arm([1.25, 0.4, 2.0], 100, [100, None]),
        "kmeans": arm([-0.5, -1.0, 0.2], 100, [None]), "coreset from the start": arm([-2.0, -3.0, -1.0], None, [None]),
    }  # fmt: skip
    found = {"sizes": [50, 1100], "arms": arms, "full": 84.0, "pool": 5000}
    result = {"draws": 2, "encoder": "E", "share": 0.97, "sets": {"one": found, "other": found}}
    write_json(tmp_path / "data" / "active.json", result)
    lines = active(tmp_path).splitlines()
    assert "| strategy | one (50 to 1,100) | other (50 to 1,100) |" in lines
    assert "At no size of any of these sets more than 1 point below random choice: `margin`, `kmeans`." in lines
    assert "| random | 70.0 | 70.0 |" in lines and "| random | 60.0 | 60.0 |" in lines
    assert "| margin | **+1.2 (+0.4 to +2.0)** | **+1.2 (+0.4 to +2.0)** |" in lines
    assert lines.count("| kmeans | -0.5 (-1.0 to +0.2) | -0.5 (-1.0 to +0.2) |") == 2
    assert "| coreset | **-2.0 (-3.0 to -1.0)** | **-2.0 (-3.0 to -1.0)** |" in lines
    assert "| margin | 100 | 100 |" in lines and not any("| random | more" in line for line in lines)
    found["arms"] = arms | {"badge": arm([0.0, 0.0, 0.0], None, [None])}
    other = found | {"arms": found["arms"] | {"badge": arm([0.0, 0.0, 0.0], 50, [None])}}
    write_json(tmp_path / "data" / "active.json", result | {"sets": {"one": found, "other": other}})
    assert "| badge | more than 1,100 | 50 |" in active(tmp_path).splitlines()
    assert "- one, margin: the rule says stop in 1 of 2 draws, at 100 to 100 labels." in lines
    assert "- one, random: the rule says stop in 0 of 2 draws." in lines


def test_curves(tmp_path: Path) -> None:
    row = {
        "rows": 9000, "means": [70.0, 88.0], "foretold": 91.9, "interval": [91.5, 92.2], "actual": 92.4, "error": -0.5,
        "within": True, "in_interval": False,
    }  # fmt: skip
    result = {"draws": 5, "encoder": "E", "within": 1.5, "largest_share": 0.4, "sets": {"one": {"encoder, dev": row}}}
    write_json(tmp_path / "data" / "curves.json", result)
    shown = curves(tmp_path)
    assert "| one (9,000) | encoder, dev | 88.0 | 91.9 (91.5 to 92.2) | 92.4 | -0.5 |" in shown
    assert "1 of 1 are within 1.5 points" in shown and "\n0 of 1: it covers" in shown
