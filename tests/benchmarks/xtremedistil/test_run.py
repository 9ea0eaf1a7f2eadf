"""XtremeDistil's tables: who sees what, what a score is, cells made once, and orderings between equals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.paths import ROOT
from benchmarks.xtremedistil.cell_store import Cells
from benchmarks.xtremedistil.multilingual import LARGE, Corpus, lost, open_corpus, scores, unlabelled, without_repeats
from benchmarks.xtremedistil.published_orderings import orderings
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.overlap import normalise_all
from leanformer.files import write_json
from leanformer.models.predictor import TorchPredictor
from tests.making.tagged import TASK, tagger_artifact, write_columns


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    write_columns(tmp_path / "tagged", sizes=(60, 20, 20))
    (tmp_path / "tagged" / "cc").mkdir()  # a language without its three splits is none
    monkeypatch.setenv("LEANFORMER_DATA", str(tmp_path))
    return open_corpus("tagged", None, 24)


def test_students_see_nothing_of_the_teachers(corpus: Corpus) -> None:
    assert corpus.languages == ("aa", "bb")
    teachers, small, large = corpus.teachers(), corpus.transfer(20), corpus.transfer(60)
    assert (len(teachers), len(small), len(large)) == (48, 20, 60)
    assert len(corpus.transfer(10_000)) == 2 * (60 - 24)  # no more than there is
    for examples in (teachers, small, large):
        assert set(examples.languages or ()) == {"aa", "bb"}
    assert set(small.texts) <= set(large.texts)  # a smaller sample is a part of a larger one
    assert not set(large.texts) & {*teachers.texts, *corpus.split("test", 20).texts, *corpus.split("dev", 20).texts}
    few = corpus.teachers(5)
    assert len(few) == 10 and set(few.texts) <= set(teachers.texts)
    assert unlabelled(small).labels is None and len(corpus.split("test", 7)) == 14
    with pytest.raises(SystemExit, match="no language xx"):
        open_corpus("tagged", ("aa", "xx"), 24)


def test_repeats_go_before_anything_is_drawn(corpus: Corpus) -> None:
    """Each sentence is left in one place: test before dev before train, and the first language before the others."""

    def part(train: str, dev: str, test: str) -> Dataset:
        splits = {
            name: examples_of(texts.split("|")) for name, texts in (("train", train), ("dev", dev), ("test", test))
        }
        return Dataset(task=TASK, name="part", **splits)

    def examples_of(texts: list[str]) -> Examples:
        return Examples(TASK, tuple(texts), tuple((0,) for _ in texts))

    parts = {"aa": part("a|b|x|B|c|d|own", "x|x|d", "x|X|y"), "bb": part("c|e|y|z|far", "z|far", "y|w")}
    clean, removed = without_repeats(parts, unseen={"own", "far"})
    left = {
        (language, split): "|".join(getattr(data, split).texts)
        for language, data in clean.items()
        for split in ("train", "dev", "test")
    }
    assert left == {
        ("aa", "test"): "x|y", ("bb", "test"): "w", ("aa", "dev"): "d", ("bb", "dev"): "z",
        ("aa", "train"): "a|b|c", ("bb", "train"): "e",
    }  # fmt: skip
    assert removed == {"test": 2, "dev": 3, "train": 8}
    assert corpus.repeats.keys() == removed.keys()


@pytest.mark.slow
@pytest.mark.data
def test_wikiann_is_drawn_clean() -> None:
    """The files overlap (21,592 training sentences of eight languages occur elsewhere); what is drawn does not."""
    corpus = open_corpus("wikiann", LARGE, 8000)
    assert corpus.repeats == {"test": 5324, "dev": 1606, "train": 21592}
    parts = [corpus.split("test", 1000), corpus.split("dev", 250), corpus.teachers(), corpus.transfer(50_000)]
    sentences = [set(normalise_all(part.texts)) for part in parts]
    assert [len(each) for each in sentences] == [8000, 2000, 64000, 50000]
    assert len(set().union(*sentences)) == 124_000


def test_a_teacher_has_at_most_half(corpus: Corpus) -> None:
    whole = open_corpus("tagged", ("aa",), 10_000)
    assert len(whole.teachers()) == len(whole.parts["aa"].train or ()) // 2
    rows = whole.teachers().texts + whole.transfer(60).texts
    assert sorted(rows) == sorted(whole.parts["aa"].train.texts)  # type: ignore[union-attr]


def test_scores_are_by_language(corpus: Corpus, tmp_path: Path) -> None:
    found = scores(TorchPredictor(tagger_artifact(tmp_path / "model")), corpus.split("test", 20))
    each = found["by_language"]
    assert set(each) == {"aa", "bb"} and found["n"] == 40
    assert found["mean_f1"] == pytest.approx((each["aa"] + each["bb"]) / 2, abs=0.02)
    assert found["deviation"] == pytest.approx(abs(each["aa"] - each["bb"]) / 2, abs=0.02)


def test_what_is_lost_is_a_mean_over_languages_with_a_paired_interval() -> None:
    # In "aa" the student misses every second entity (F1 2/3); in "bb" it is right where the teacher is wrong.
    teacher = np.array([[1, 1, 1]] * 40 + [[0, 1, 1]] * 10)
    student = np.array([[1, 1, 1], [0, 0, 1]] * 20 + [[1, 1, 1]] * 10)
    languages = ["aa"] * 40 + ["bb"] * 10
    found = lost(student, teacher, languages)
    assert found["lost"] == pytest.approx(100 * (1 / 3 - 1) / 2, abs=0.01)
    assert found["low"] < found["lost"] < found["high"] < -20
    assert lost(teacher, teacher, languages) == {"lost": 0.0, "low": 0.0, "high": 0.0}


def test_a_cell_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [
        str(ROOT / "benchmarks" / "xtremedistil" / "a.py"),
        "--seeds",
        "1",
        "--results",
        "/some/where",
        "--work=/else/where",
        "table",
    ]
    monkeypatch.setattr(sys, "argv", given)
    made: list[int] = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {"test": {"mean_f1": 1.0}}

    cells = Cells(tmp_path / "table", 1)
    first, again = cells.get({"seed": 1}, make), Cells(tmp_path / "table", 1).get({"seed": 1}, make)
    assert first == again and len(made) == 1
    assert (
        first["machine"]["threads"] == 1 and first["command"] == "python -m benchmarks.xtremedistil.a --seeds 1 table"
    )
    cells.get({"seed": 2}, make)
    assert [entry["settings"]["seed"] for entry in cells.all()] == [1, 2]


def test_cells_of_the_result_file_are_not_made_again(tmp_path: Path) -> None:
    result = tmp_path / "a.json"
    write_json(result, {"cells": [{"settings": {"seed": 1, "layers": [1, 2]}, "test": 3}], "speeds": []})
    cells = Cells(tmp_path / "table", 1, result)
    assert cells.get({"seed": 1, "layers": [1, 2]}, lambda: pytest.fail("made again"))["test"] == 3
    assert len(cells.all()) == 1
    assert Cells(tmp_path / "speed", 1, result, "speeds").all() == []
    assert Cells(tmp_path / "other", 1, tmp_path / "none.json").all() == []


def test_orderings_compare_equal_settings() -> None:
    def cell(strategy: str, seed: int, value: float, transfer: int = 10) -> dict[str, Any]:
        rest = {"transfer": transfer, "embedding": 2, "units": 3, "epochs": 4}
        return {"settings": {"strategy": strategy, "seed": seed, **rest}, "test": {"mean_f1": value}}

    cells = [cell("D4.2", 1, 80), cell("D4.2", 2, 90), cell("D1", 1, 84), cell("D1", 2, 84), cell("D1", 3, 10)]
    (found,) = orderings([*cells, cell("D2", 1, 99, transfer=50)])
    assert (found["above"], found["below"], found["seeds"], found["means"]) == ("D4.2", "D1", [1, 2], [85.0, 84.0])
    assert found["holds"] is True and found["transfer"] == 10
    again = [cell("D4.2", 1, 60), cell("D1", 3, 50)]
    for entry in again:
        entry["settings"]["teacher"] = "trained again"
    (found,) = orderings([*cells, *again])  # each has no pair of the same seed and teacher
    assert (found["seeds"], found["means"]) == ([1, 2], [85.0, 84.0])
    again.append(cell("D4.2", 3, 70))
    again[-1]["settings"]["teacher"] = "trained again"
    (found,) = orderings([*cells, *again])
    assert (found["seeds"], found["means"]) == ([1, 2, 3], [80.0, 72.67])
    alone = cell("D0", 1, 70)
    alone["settings"]["least_steps"] = 500  # fewer sentences each, so more epochs
    (found,) = orderings([cell("D0-S", 1, 60), alone])
    assert (found["above"], found["means"], found["holds"]) == ("D0-S", [60.0, 70.0], False)
