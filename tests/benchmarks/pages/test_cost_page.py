"""The page of what compression cost, and the picture of the ladder: made of the results, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.ladders import energy
from benchmarks.pages import cost_page, ladder_picture
from benchmarks.paths import ROOT
from leanformer.metrics.noninferiority import noninferiority_p


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The program, reading its results from an empty folder and filling a page of its own."""
    module = cost_page
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    markers = "\n".join(f"<!-- {name}: begin -->\nold\n<!-- {name}: end -->" for name in ("quality", "energy"))
    (tmp_path / "page.md").write_text(f"# Title\n{markers}\nend\n")
    monkeypatch.setattr(sys, "argv", ["cost_page.py"])
    return module


def group(name: str, loss: float) -> dict[str, Any]:
    return {"name": name, "n": 500, "loss": loss, "loss_low": loss - 0.02, "loss_high": loss + 0.02}


def rung(lost: int, gained: int) -> dict[str, Any]:
    drop = (lost - gained) / 1000
    return {
        "quality": 0.9 - drop, "drop": drop, "drop_low": drop - 0.01, "drop_high": drop + 0.01, "agreement": 0.95,
        "probability_agreement": 0.9, "worst_class": "no", "worst_class_recall": 0.85,
        "robustness": {"typos": {"lost": 0.031 + drop}},
        "loss": {
            "lost": lost, "gained": gained, "changed": lost + gained,
            "calibration": {"error": 0.05, "error_scaled": 0.02},
            "classes": [group("no", 0.01), group("yes", 0.03)], "lengths": [group("1 to 9", 0.005)],
        },
    }  # fmt: skip


@pytest.mark.parametrize(("lost", "gained", "ships"), [(50, 20, False), (1, 3, True)])
def test_a_ladder_becomes_a_table_and_a_paragraph(lost: int, gained: int, ships: bool, page: ModuleType):
    ladder = {"n": 1000, "reference": "plain", "rungs": {"plain": rung(0, 0), "lean": rung(lost, gained)}}
    (page.RESULTS / "quality_cost.json").write_text(json.dumps({"some set": ladder}))
    assert page.main() == 0
    text = " ".join(page.PAGE.read_text().split())
    assert f"'lean' lost {(lost - gained) / 10:.2f} points against 'plain'" in text
    assert f"{lost + gained} predictions changed, of which {lost} became wrong and {gained} became right" in text
    assert "'yes' (+3.0 points, +1.0 to +5.0, n = 500)" in text
    assert "'1 to 9' (+0.5 points, -1.5 to +2.5, n = 500; the interval includes zero)" in text
    assert ("the gate ships it (p = " in text) is ships is (noninferiority_p(lost, gained, 1000, 0.01) <= 0.05)
    assert "Not measured yet: `python -m benchmarks.ladders.energy sst2`" in text and "old" not in text


def test_a_page_that_went_stale_is_told(page: ModuleType, monkeypatch: pytest.MonkeyPatch):
    page.main()
    monkeypatch.setattr(sys, "argv", ["cost_page.py", "--check"])
    assert page.main() == 0
    ladder = {"n": 1000, "reference": "plain", "rungs": {"plain": rung(0, 0), "lean": rung(9, 2)}}
    (page.RESULTS / "quality_cost.json").write_text(json.dumps({"some set": ladder}))
    assert page.main() == 1


def test_energy_stands_beside_what_was_published(page: ModuleType):
    rows = [
        {"name": name, "ladder": "some", "accuracy": 0.9, "status": "estimated", "method": "modelled",
         "joules_per_1000": joules, "cpu_seconds_per_1000": seconds, "usd_per_100m": usd}
        for name, joules, seconds, usd in (("first", 100.0, 40.0, 50.0), ("lean", 4.0, 2.0, 5.0), ("other", None, 1, 9))
    ]  # fmt: skip
    rungs = energy.times_less(rows)
    assert [entry["energy_times_less"] for entry in rungs] == [1, 25, None]
    assert [entry["usd_times_less"] for entry in rungs[:2]] == [1, 10]
    result = {
        "dataset": "some set", "n": 7, "rungs": rungs, "price": {"usd_per_hour": 0.08},
        "machine": {"cpu": "Some CPU", "threads": 2, "cores": 4}, "published": energy.PUBLISHED,
        "what_differs": list(energy.WHAT_DIFFERS),
    }  # fmt: skip
    (page.RESULTS / "energy.json").write_text(json.dumps(result))
    page.main()
    text = page.PAGE.read_text()
    assert "6.9 to 125.8 times less energy, and" in text and "falls from 4,223 to 18 USD" in text
    assert (
        "'lean' of `some`, uses 25 times less energy (estimated), 20 times fewer CPU-seconds and 10 times fewer USD"
        in text
    )
    assert all(f"- {differ}" in text for differ in energy.WHAT_DIFFERS)


def test_published_costs_follow_from_published_seconds():
    """Seconds for the 3,270 questions of BoolQ's dev split, at 0.677 USD per hour: the table was copied rightly."""
    for row in energy.PUBLISHED["rows"]:
        assert row["seconds"] / 3270 * 1e8 / 3600 * 0.677 == pytest.approx(row["usd_per_100m"], abs=0.6)
        assert 734.35 / row["seconds"] == pytest.approx(row["times"], rel=0.01)


def test_the_stored_page_and_picture_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch):
    module = cost_page
    stored = module.PAGE.read_text(encoding="utf-8")
    assert module.filled(stored) == stored
    monkeypatch.setattr(sys, "argv", ["ladder_picture.py", "sst2", "--result", "thorough", "--check"])
    assert ladder_picture.main() == 0


def test_the_picture_is_one_small_file_that_needs_nothing_else():
    path = ROOT / "docs" / "pictures" / "sst2-report.svg"
    assert path.stat().st_size < 200_000
    words = path.read_text(encoding="utf-8")
    ElementTree.fromstring(words)
    assert "<script" not in words and "href" not in words and "url(" not in words
