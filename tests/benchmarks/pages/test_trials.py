"""The table of trials says what the result says."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.pages.trials import trials


def test_every_arm_has_a_row(tmp_path: Path) -> None:
    assert "Not measured yet" in trials(tmp_path)
    shared = {"group": "attention", "n": 500, "optimiser_steps": 1234, "cpu_seconds": 99.6, "dev": 94.31}
    rows = [
        shared | {"arm": "softmax", "seeds": [13, 14], "test": 96.04},
        shared | {"arm": "linear", "seeds": [13], "test": 92.2, "gain": -3.8, "low": -5.61, "high": -2.0},
    ]
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "trec.json").write_text(json.dumps({"data": "trec", "summary": rows, "cells": []}))
    page = trials(tmp_path)
    assert "| attention | softmax | 1,234 | 100 | 94.3 | 96.0 |  |" in page
    assert "| attention | linear | 1,234 | 100 | 94.3 | 92.2 | -3.8 (-5.6 to -2.0) |" in page
    said = " ".join(page.split())
    assert "means over 2 seeds, 500 test texts" in said and "Fewer seeds: linear." in said and "n-grams" not in said
    (tmp_path / "floors.json").write_text('[{"set": "trec", "system": "linear", "quality": 0.906}]', encoding="utf-8")
    assert "A linear model on n-grams has 90.6." in " ".join(trials(tmp_path).split())
