"""Answers in a context, as files have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.data.dataset import Dataset, open_dataset
from leanformer.errors import DataError

WHO = {"question": "Who came?", "context": "It was 🙂 Ada, e\u0301. "}
ADA = {"text": "Ada", "start": 9}


def read(folder: Path, *rows: dict[str, Any], **options: Any) -> Dataset:
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return open_dataset(str(folder), **options)


@pytest.mark.parametrize(
    ("answers", "label"),
    [
        ({"answers": [ADA]}, ((9, 12),)),
        ({"answers": [ADA, ADA, {"text": "e\u0301", "answer_start": 14}]}, ((9, 12), (14, 16))),
        ({"answers": {"text": ["Ada"], "answer_start": [9]}}, ((9, 12),)),
        ({"answers": {"text": [], "answer_start": []}}, ()),
        ({"answers": json.dumps([ADA])}, ((9, 12),)),
        ({"answers": []}, ()),
        ({"is_impossible": True}, ()),
    ],
)
def test_answers_are_read_in_every_form(tmp_path: Path, answers: dict[str, Any], label: Any) -> None:
    data = read(tmp_path, WHO | answers, WHO | {"question": "Who?", "answers": [ADA]}, carve=False)
    assert data.task.kind == "span" and data.train is not None and data.train.labels is not None
    assert data.train.labels[0] == label
    assert data.train.inputs[0] == (WHO["question"], WHO["context"])
    assert data.train.targets[0].texts == [WHO["context"][start:end] for start, end in label]


@pytest.mark.parametrize(
    "answer", ["Ada", {"text": "Ada"}, {"start": 9}, {"text": "", "start": 9}, {"text": "Ada", "start": True}, 3]
)
def test_what_is_no_answer_is_refused_with_its_line(tmp_path: Path, answer: Any) -> None:
    with pytest.raises(DataError, match=r"train.jsonl, line 2: 'answers' holds .*\n.*remedy"):
        read(tmp_path, WHO | {"answers": [ADA]}, WHO | {"answers": [answer]})


def test_an_answer_at_another_place_is_refused_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: the answer 'Ada' .* at its start, 10, but at 9\n"):
        read(tmp_path, WHO | {"answers": [ADA | {"start": 10}]})
    with pytest.raises(DataError, match=r"line 1: the answer 'Eve' .* 9, nor anywhere else\n"):
        read(tmp_path, WHO | {"answers": [ADA | {"text": "Eve"}]})


def test_a_context_beside_a_label_is_an_ordinary_column(tmp_path: Path) -> None:
    rows = [{"text": text, "label": text, "context": "c"} for text in ("a", "b")]
    assert read(tmp_path, *rows, carve=False).task.kind == "classification"


def test_a_dev_taken_out_of_train_shares_no_context_with_it(tmp_path: Path) -> None:
    rows = [
        {
            "question": f"who {number}?",
            "context": f"Ada came on day {number // 5}.",
            "answers": [{"text": "Ada", "start": 0}],
        }
        for number in range(100)
    ]
    data = read(tmp_path, *rows)
    assert data.train is not None and data.dev is not None
    assert len(data.dev) == 10 and not set(data.train.pairs or ()) & set(data.dev.pairs or ())
