"""The bench: cells are made once, the rate is chosen on dev, and the table is that of all cells."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.atlas import tuning
from benchmarks.atlas.entries import read_atlas
from benchmarks.atlas.tuning import Tuning, main, table
from benchmarks.pages import tuning_table
from benchmarks.paths import ROOT

TECHNIQUES = [technique for technique in read_atlas().bench("tuning") if technique.code]
BY_KIND = {technique.kind: technique for technique in TECHNIQUES}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of two quick runs, the second of which makes nothing."""
    folder: Path = tmp_path_factory.mktemp("atlas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "WORK", folder)
        patch.setattr(sys, "argv", [str(ROOT / "benchmarks" / "atlas" / "tuning.py"), "--quick"])
        main(["--quick", "--only", "lora"])
        patch.setattr(tuning, "measured", None)
        main(["--quick", "--only", "lora"])
    return folder / "atlas" / "quick-tuning" / "quick.json"


def test_a_second_run_finds_its_cells(quick: Path):
    result = json.loads(quick.read_text(encoding="utf-8"))
    assert [row["technique"] for row in result["rows"]] == ["Full fine-tuning", "LoRA"]
    whole, row = result["rows"]
    assert row["trained"] == 2 * 2 * 8 * (32 + 32) and row["merges"] and row["n"] == 24 and row["seeds"] == [13]
    assert row["task_bytes"] == 4 * (row["trained"] + row["head"]) < whole["task_bytes"] == 4 * whole["parameters"]
    assert row["parameters"] == whole["parameters"], "merged" and row["flops"] == whole["flops"] > 0
    assert len(result["cells"]) == 2 and not (ROOT / "benchmarks/results/atlas/quick.json").exists()


def cell(kind: str, right: str, seed: int = 13) -> dict[str, object]:
    made = dict.fromkeys(("parameters", "head", "trained", "task_bytes", "flops", "train_cpu_seconds", "peak_mb"), 4)
    told = {"kind": kind, "set": "trec", "seed": seed, "per_class": 20, "steps": 60, "options": {}}
    return {
        "settings": told,
        "right": right,
        "merges": True,
        "rate": 0.1,
        "dev": {"0.1": 1, "0.2": 0},
        "step_ms": 1,
        "infer_ms": 2,
        **made,
    }


def test_the_table_compares_with_the_control_of_the_same_seed():
    cells = [cell("full", "1100" * 20), cell("lora", "1111" * 20), cell("bitfit", "1111" * 20, seed=14)]
    rows = {row["technique"]: row for row in table(TECHNIQUES, cells)}
    assert list(rows) == ["Full fine-tuning", "LoRA"], "BitFit has no seed of the control's"
    assert (rows["LoRA"]["difference"], rows["LoRA"]["verdict"]) == (50, "better")
    assert rows["Full fine-tuning"]["verdict"] is None
    quality = tuning_table.tables(TECHNIQUES, list(rows.values()))
    assert "better | 1 | 80 | 0.1 * |" in quality[2], "the lowest rate"
    assert "| LoRA | trec | 100.0 | 50.0 | +50.0 (" in quality[2] and "| BitFit | not measured |" in quality[2]
    assert (
        "trec with 20 rows of each class for 60 steps" in quality[0] and "| LoRA | trec | 4 | 0 | yes |" in quality[5]
    )


@pytest.mark.parametrize("other", [{"steps": 100}, {"per_class": 8}, {"options": {"rank": 2}}])
def test_cells_of_other_settings_are_not_in_the_table(other: dict[str, object]):
    ours = cell("lora", "1111" * 20)
    ours["settings"] |= other  # type: ignore[operator]
    assert [row["technique"] for row in table(TECHNIQUES, [cell("full", "1100" * 20), ours])] == ["Full fine-tuning"]


def test_later_seeds_take_the_rate_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given = []

    def apart(technique: object, told: dict[str, object]) -> dict[str, object]:
        given.append((told["seed"], told["rates"]))
        return {"rate": told["rates"][-1]}  # type: ignore[index]

    monkeypatch.setattr(tuning, "apart", apart)
    monkeypatch.setattr(tuning, "content", lambda name: "none")
    monkeypatch.setattr(tuning, "Cells", tuning.Unrecorded)
    Tuning(tmp_path / "cells", tmp_path / "result.json").quality(BY_KIND["lora"], "trec", 14)
    rates = list(BY_KIND["lora"].rates)
    assert given == [(13, rates), (14, rates[-1:])]


def test_dev_chooses_the_rate(monkeypatch: pytest.MonkeyPatch):
    began = tuning.toy_start(13)
    scores = iter(["0" * 4, "1" * 4, "0" * 4, "1010"])
    monkeypatch.setattr(tuning, "right", lambda model, rows: next(scores))
    told = {"seed": 13, "quick": True, "rates": [1e-3, 1e-2, 1e-1], "steps": 2, "options": {}}
    found = tuning.measured(BY_KIND["bitfit"], told)
    assert found["rate"] == 1e-2 and found["dev"] == {"0.001": 0, "0.01": 100, "0.1": 0} and found["right"] == "1010"
    assert found["head"] == 32 * 33 + 33 * began.make(0).config.labels
