"""How tables tell leaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.pages import summary
from benchmarks.pages.leaked import HEAD, about, beside, cell, in_train, of_corpora, quality
from leanformer.first_rungs import BATCHED
from tests.making.reports import make_report, make_rung


@pytest.fixture
def results(tmp_path: Path) -> Path:
    sets = {
        "trec": {"n": 500, "exact": 11, "near": 12}, "clean": {"n": 500, "exact": 0, "near": 0},
        "wikiann": {"n": 8000, "exact": 0, "near": 120},
    }  # fmt: skip
    written = {"command": "python -m benchmarks.leaks", "nearly": "by some measure", "sets": sets}
    (tmp_path / "leaks.json").write_text(json.dumps(written))
    return tmp_path


def test_counts_stand_in_cells_and_captions(results: Path) -> None:
    assert cell(results, "trec") == "11 (12)" and cell(results, "other") == "not counted"
    assert beside(results, "trec") == ", of which 11 in train (12 with those that nearly are)"
    assert beside(results, "clean") == ", none of them in train, nor nearly" and beside(results, "other") == ""
    assert "by some measure; `python -m benchmarks.leaks`" in about(results) and HEAD in about(results)
    assert of_corpora(results) == (
        "Corpora lose their repeats before anything is drawn. WikiANN as it is drawn: 0 of 8,000 test sentences in "
        "train, 120 with those that nearly are (`python -m benchmarks.leaks`)."
    )


def test_what_nobody_counted_is_said(tmp_path: Path) -> None:
    assert cell(tmp_path, "trec") == "not counted" and "has not been counted yet" in about(tmp_path)
    assert "have not been counted yet" in in_train(tmp_path, {"questions": "trec"})
    assert of_corpora(tmp_path) == "" and beside(tmp_path, "trec") == ""


def test_a_clean_score_stands_beside_where_there_is_one() -> None:
    assert quality(make_rung()) == "91.2"
    assert quality(make_rung(n_clean=60, quality_clean=0.9123)) == "91.2"
    assert quality(make_rung(n_clean=53, quality_clean=0.8712)) == "91.2 (clean 87.1)"


def test_the_first_table_has_counts_and_clean_scores(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rungs = [make_rung(name, n_clean=53, quality_clean=0.8712) for name in (BATCHED, "int8")]
    (results / "trec").mkdir()
    make_report(*rungs).write(results / "trec" / "report.json")
    monkeypatch.setattr(summary, "TASKS", {"trec/report": "questions"})
    assert "91.2 (clean 87.1) (-) |" in summary.summary(results), "no floor is known"
    (results / "floors.json").write_text('[{"set": "trec", "system": "linear", "quality": 0.906}]', encoding="utf-8")
    shown = summary.summary(results)
    assert "| questions (60) | 91.2 (clean 87.1) to 91.2 (clean 87.1) (90.6) | 1.0x | 4.6x | 46 to 46 |" in shown
    counted = in_train(results, {"questions": "trec"})
    assert "text there: questions 11 (12) (by some measure;" in counted
    assert " ".join(counted.split()) in " ".join(shown.split())
    assert "scores higher than the student" not in shown
    (results / "floors.json").write_text('[{"set": "trec", "system": "linear", "quality": 0.96}]', encoding="utf-8")
    assert "**On questions the linear model scores higher than the student.**" in summary.summary(results)
