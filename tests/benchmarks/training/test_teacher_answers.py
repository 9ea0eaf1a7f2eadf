"""The table of teacher answers: what is asked for, how it is written, and differences paired by seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.training import teacher_answers
from benchmarks.training.teacher_answers import ALL, CHOSEN, NOTHING, RANDOM, chosen, summary, write_answers
from leanformer.curate.active.vectors import ngram_vectors
from tests.making.tiny import tiny_dataset

DATA = tiny_dataset()
POOL = replace(DATA, dev=None, unlabelled=None)


def test_rows_are_chosen_in_rounds_by_the_teachers_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(teacher_answers, "embed", lambda part: ngram_vectors(part.inputs, False, 1))
    assert POOL.train is not None
    probabilities = np.eye(3)[POOL.train.targets]
    rows = chosen(POOL, probabilities, 24, 0, tmp_path)
    assert len(set(rows.tolist())) == 24
    rounds = [
        [json.loads(line) for line in path.read_text().splitlines()] for path in sorted(tmp_path.glob("round-*.jsonl"))
    ]
    assert [len(lines) for lines in rounds] == [6, 6, 6, 6]
    assert [lines[0]["strategy"] for lines in rounds] == ["kmeans", "margin", "margin", "margin"]


def test_answers_are_soft_or_the_likeliest_label(tmp_path: Path):
    probabilities = np.array([[0.2, 0.2, 0.1], [0, 1, 0]])
    write_answers(tmp_path / "soft", POOL, np.array([0, 1]), probabilities, hard=False)
    write_answers(tmp_path / "hard", POOL, np.array([1]), probabilities, hard=True)
    soft = [json.loads(line) for line in (tmp_path / "soft").read_text().splitlines()]
    assert soft[0]["row"] == 0 and soft[0]["probabilities"] == pytest.approx([0.4, 0.4, 0.2])
    assert json.loads((tmp_path / "hard").read_text()) == {"row": 1, "label": "sport"}


def cell(arm: str, seed: int, right: str) -> dict[str, Any]:
    return {"settings": {"set": "trec", "steps": 9, "arm": arm, "seed": seed}, "right": right}


def test_differences_are_paired_by_seed():
    cells = [
        *(cell(ALL, seed, right) for seed, right in enumerate(["1110", "1111", "1110"])),
        *(cell(RANDOM, seed, right) for seed, right in enumerate(["1100", "1110", "1100"])),
        *(cell(CHOSEN, seed, "1110") for seed in range(2)), cell(NOTHING, 0, "0001"),
    ]  # fmt: skip
    rows = {row["arm"]: row for row in summary(cells)}
    assert rows[ALL]["over_random"] == [25, 25, 25] and rows[RANDOM]["under_all"] == [25, 25, 25]
    assert rows[CHOSEN]["over_random"] == [12.5] and rows[CHOSEN]["under_all"] == [12.5], "two seeds have no interval"
    assert rows[NOTHING] == {"set": "trec", "steps": 9, "arm": NOTHING, "seeds": 1, "test": 25.0}
