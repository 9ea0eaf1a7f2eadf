"""The table of classification: teacher and students scored on dev and test, graphs timed, cells made once."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.runtime import interleaved, latency
from benchmarks.xtremedistil import student_shelf, text_students
from leanformer.export.int8 import Int8
from leanformer.task import Text
from tests.making.tiny import tiny_artifact, tiny_dataset


def test_leaked_texts_do_not_count_in_the_clean_score() -> None:
    class Always:
        """Says "music" whatever it reads."""

        task = tiny_dataset().task

        def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
            return [np.zeros(1, dtype=np.int64) for _ in texts]

        def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
            return np.tile(np.float32([1, 0, 0]), (len(rows), 1))

    data = tiny_dataset()
    assert data.test is not None
    music = data.test.targets == 0
    leaked = music & (np.cumsum(music) <= 5)
    found = text_students.accuracies(Always(), data, leaked)
    right, n = int(music.sum()), len(music)
    assert found["test"] == {"accuracy": round(100 * right / n, 2), "n": n}
    assert found["accuracy_clean"] == round(100 * (right - 5) / (n - 5), 2) and found["n_clean"] == n - 5
    # Of three classes one has F1 = 2 * right / (right + all), the others nought.
    assert found["f1_clean"] == round(100 * 2 * (right - 5) / (right - 5 + n - 5) / 3, 2)
    assert text_students.accuracies(Always(), data, np.ones(n, dtype=bool))["f1_clean"] is None


def test_cells_without_clean_scores_give_way_where_they_are_made_again() -> None:
    old, new = ({"settings": {"data": "trec"} | more} for more in ({}, {"repeats": {"test_in_train": 11}}))
    assert not text_students.current(old, ["trec", "sst2"]) and text_students.current(old, ["sst2"])
    assert text_students.current(new, ["trec"])


@pytest.mark.slow
def test_a_table_of_one_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, told = tiny_artifact(tmp_path / "teacher", seed=11), []
    timed = latency.in_turn

    def at_once(*given: Any, **options: Any) -> Any:
        return timed(*given, **{**options, "seconds": 0.02})

    monkeypatch.setattr(latency, "in_turn", at_once)
    monkeypatch.setattr(interleaved, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(text_students, "open_named", lambda name: tiny_dataset())
    monkeypatch.setattr(text_students, "teacher_of", lambda name, data: teacher)
    monkeypatch.setattr(student_shelf, "Int8", partial(Int8, max_flips=1.0, max_mean_share=9.0))
    monkeypatch.setattr(text_students, "BiLstmStudent", partial(text_students.BiLstmStudent, learning_rate=0.01))
    command = [
        text_students.__file__, "trec", "--strategies", "D0-S", "D4.1", "--sizes", "8x8", "--epochs", "2", "--texts",
        "90", "--rounds", "1", "--timed", "40", "--device", "cpu", "--work", str(tmp_path / "work"), "--results",
        str(tmp_path / "results"),
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", command)
    text_students.main()
    written = tmp_path / "results" / "classification.json"
    cells = json.loads(written.read_text())["cells"]
    scored = {cell["settings"]["strategy"]: cell for cell in cells if "test" in cell}
    assert set(scored) == {"teacher", "D0-S", "D4.1"}
    for cell in scored.values():
        assert cell["settings"]["train"] == 90 and 0 <= cell["test"]["accuracy"] <= 100 and cell["dev"]["n"] > 0
        assert cell["n_clean"] == cell["test"]["n"] - cell["settings"]["repeats"]["test_in_train"]
    assert len(scored["D4.1"]["fits"]) == 3 and "crf" not in scored["D4.1"]["settings"]
    (speed,) = [cell for cell in cells if "graphs" in cell]
    assert set(speed["graphs"]) == {"8x8 fp32", "8x8 int8"}
    for graph in speed["graphs"].values():
        assert graph["n_clean"] <= graph["test"]["n"] and 0 <= graph["f1_clean"] <= 100
        assert graph["times_one"] > 0 and graph["times_batches_of_32"] > 0 and graph["test"]["n"] > 0
    # What was made is found again, and the file is the same.
    monkeypatch.setattr(student_shelf.Shelf, "student", lambda *given: told.append(given))
    before = written.read_bytes()
    text_students.main()
    assert written.read_bytes() == before and not told
