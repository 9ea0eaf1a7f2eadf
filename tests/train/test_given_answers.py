"""Answers of any program: found for their rows, learnt softly, and refused with file, line and remedy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.compress.distil.distil import Distil
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, LeanformerError, RecipeError
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.recipe.train import train
from leanformer.task import Task
from leanformer.train.given_answers import read_answers
from tests.making.graphs import make_context
from tests.making.tiny import TASK, TOPICS, tiny_artifact, tiny_dataset, tiny_texts

MUSIC, SPORT, WEATHER = TASK.labels


def written(folder: Path, *rows: Any) -> Path:
    path = folder / "answers.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def data_of(task: Task, train: Any, unlabelled: tuple[str, ...] = (), **further: Any) -> Dataset:
    parts = None if train is None else Examples(task, *train)
    return Dataset(task, train=parts, unlabelled=Examples(task, unlabelled, None) if unlabelled else None, **further)


def test_answers_replace_labels_and_rows_without_one_keep_theirs(tmp_path: Path) -> None:
    data = data_of(TASK, (("a", "b", "a", "c"), (0, 1, 0, 2)), ("d", "e"))
    path = written(
        tmp_path, {"text": "a", "probabilities": {SPORT: 0.75, WEATHER: 0.25}}, {"text": "e", "label": MUSIC}, "",
        {"text": "b", "label": None}, {"row": 3, "probabilities": [0.5, 0.3, 0.2]},
    )  # fmt: skip
    said: list[str] = []
    given = read_answers(path, data, said.append)
    assert given.examples.texts == ("a", "b", "a", "c", "e") and given.examples.labels == (1, 1, 1, 0, 0)
    assert given.probabilities.tolist() == [[0, 0.75, 0.25], [0, 1, 0], [0, 0.75, 0.25], [0.5, 0.3, 0.2], [1, 0, 0]]
    assert said == ["answers.jsonl: answers to 4 rows of 6; 1 have a label alone"]
    soft = np.exp(given.logits(TASK))
    assert np.allclose(soft / soft.sum(axis=1, keepdims=True), given.probabilities, atol=1e-5)
    turned = replace(TASK, labels=TASK.labels[::-1])
    assert np.array_equal(given.logits(turned), given.logits(TASK)[:, ::-1])


def test_without_labels_the_rows_with_an_answer_are_train(tmp_path: Path) -> None:
    given = read_answers(written(tmp_path, {"text": "e", "label": SPORT}), data_of(TASK, None, ("d", "e")))
    assert given.examples.texts == ("e",) and given.examples.labels == (1,) and given.answered == 1


def test_any_number_of_labels_and_scores(tmp_path: Path) -> None:
    task = Task("multilabel", TASK.labels)
    rows = ({"text": "a", "probabilities": {SPORT: 0.9, MUSIC: 0.6}}, {"text": "b", "labels": []})
    given = read_answers(written(tmp_path, *rows), data_of(task, None, ("a", "b")))
    assert given.examples.labels == ((0, 1), ())
    assert np.allclose(1 / (1 + np.exp(-given.logits(task))), [[0.6, 0.9, 0], [0, 0, 0]], atol=1e-5)
    task = Task("regression", ())
    given = read_answers(written(tmp_path, {"text": "a", "score": 5}), data_of(task, (("a", "b"), (1.0, 2.0))))
    assert given.examples.labels == (5.0, 2.0)
    assert given.logits(replace(task, scale=(1.0, 2.0))).tolist() == [[2.0], [0.5]]


def test_rows_are_numbered_as_in_the_file_and_dev_rows_are_not_learnt(tmp_path: Path) -> None:
    lines = [{"text": f"{topic} {number}", "label": topic} for number in range(10) for topic in TASK.labels]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = open_dataset(tmp_path)
    assert data.dev_rows and data.train is not None
    wrong = {MUSIC: SPORT, SPORT: WEATHER, WEATHER: MUSIC}
    path = written(tmp_path, *({"row": row, "label": wrong[line["label"]]} for row, line in enumerate(lines)))
    said: list[str] = []
    given = read_answers(path, data, said.append)
    assert [TASK.labels[label] for label in given.examples.labels or ()] == [
        wrong[data.task.labels[label]] for label in data.train.labels or ()
    ]
    assert said[1] == f"note: answers.jsonl: {len(data.dev_rows)} answers are to rows of dev or test, and not used"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", r"answers.jsonl, line 2: not JSON"),
        ("[1]", "a list, and no object"),
        ({"label": SPORT}, r"it names no row.*\n  remedy: the text as it is in train, or its row"),
        ({"text": "zz", "label": SPORT}, "no row of train or unlabelled has the text 'zz'"),
        ({"row": 3, "label": SPORT}, "row is 3, and no number from 0 to 2"),
        ({"row": True, "label": SPORT}, "row is True"),
        ({"text": "b", "label": "chess"}, r"'chess' is no label of the data\n  remedy: one of music, sport, weather"),
        ({"text": "b", "probabilities": {"chess": 1}}, "'chess' is no label"),
        ({"text": "b", "probabilities": [1]}, "an object from label to number, or a list of 3 numbers"),
        ({"text": "b", "probabilities": [1, 1, 0]}, "the probabilities add up to 2"),
        ({"text": "b", "probabilities": [2, -1, 0]}, "numbers from 0 to 1"),
        ({"text": "b", "probabilities": [10**400, 0, 0]}, "numbers from 0 to 1"),
        (
            {"text": "b", "answer": SPORT},
            r"line 2: it has no answer\n  remedy: one of probabilities, label, labels, sc",
        ),
        ({"text": "a", "label": SPORT}, r"the text is answered in line 1 already\n  remedy: leave one of the lines"),
    ],
)
def test_what_is_no_answer_is_refused_by_line(row: Any, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, {"text": "a", "label": MUSIC}, row)
    with pytest.raises(DataError, match=message):
        read_answers(path, data_of(TASK, (("a", "b", "c"), (0, 1, 2))))


def test_other_answers_and_none_are_refused(tmp_path: Path) -> None:
    data = data_of(TASK, (("a", "b"), (0, 1)))
    with pytest.raises(DataError, match=r"no answers to rows of train\n  remedy: lines such as"):
        read_answers(written(tmp_path, {"text": "a", "label": None}), data)
    for task, line, message in (
        (Task("multilabel", TASK.labels), {"text": "a", "labels": SPORT}, "and no list"),
        (Task("regression", ()), {"text": "a", "score": "high"}, "the score is 'high'"),
        (
            Task("regression", ()),
            {"text": "a", "score": 10**400},
            r"the score is 1000.*\n  remedy: a number of at most",
        ),
    ):
        with pytest.raises(DataError, match=message):
            read_answers(written(tmp_path, line), data_of(task, None, ("a",)))
    with pytest.raises(LeanformerError, match="answers of the form 'tags' are not built"):
        read_answers(written(tmp_path, {"text": "a"}), data_of(Task("tokens", ("O", "B-X", "I-X")), None, ("a",)))


def _asks(data: Dataset, folder: Path) -> Path:
    """Soft answers to all unlabelled rows, by a rule that turns the topics round."""
    assert data.unlabelled is not None
    rows = []
    for text in data.unlabelled.texts:
        topic = next(number for number, words in enumerate(TOPICS.values()) if set(words) & set(text[:-1].split()))
        rows.append({"text": text, "probabilities": [0.8 if index == (topic + 1) % 3 else 0.1 for index in range(3)]})
    return written(folder, *rows)


def test_a_model_learns_the_answers_and_how_sure_they_are(tmp_path: Path) -> None:
    """Without any label in train; the answers are wrong on purpose, so that nothing else can have taught them."""
    data = replace(tiny_dataset(), train=None)
    assert data.dev is not None and data.dev.labels is not None
    turned = tuple((int(label) + 1) % 3 for label in data.dev.labels if isinstance(label, int))
    pool = Examples(TASK, tiny_texts(300, seed=7)[0], None)
    data = replace(data, dev=replace(data.dev, labels=turned), unlabelled=pool)
    start, path = tiny_artifact(tmp_path / "start"), _asks(data, tmp_path)
    made = train(
        start, data, tmp_path / "made", teacher_answers=path, epochs=6, batch_size=16, learning_rate=3e-3, threads=1,
        device="cpu", max_tokens=32, say=lambda line: None,
    )  # fmt: skip
    assert data.test is not None and data.test.labels is not None
    found = logits(TorchPredictor(made, device="cpu"), data.test.inputs)
    assert (found.argmax(axis=1) == (np.array(data.test.labels) + 1) % 3).mean() > 0.8
    sure = np.exp(found.max(axis=1)) / np.exp(found).sum(axis=1)
    assert abs(sure.mean() - 0.8) < 0.1, "with hard labels it would be above 0.95"
    options = made.history[-1]["options"]
    assert options["teacher_answers"] == 300 and made.history[-1]["result"]["best_epoch"]


def test_a_student_follows_them_instead_of_a_teacher(tmp_path: Path) -> None:
    data, start = tiny_dataset(), tiny_artifact(tmp_path / "start")
    context = make_context(tmp_path, start, data=data)
    quick: dict[str, Any] = {"layers": 1, "epochs": 2, "batch_size": 32, "trial_texts": 0}
    path = _asks(data, tmp_path)
    student = Distil(**quick, teacher_answers=str(path))(start, context, tmp_path / "student")
    assert not list(context.cache.glob("outputs-*")), "the model of the recipe is not asked"
    assert student.history[-1]["options"]["teacher_answers"]
    assert data.unlabelled is not None
    with pytest.raises(RecipeError, match=r"copies and inner states need a model\n  remedy"):
        Distil(teacher_answers="x", hidden_weight=1.0)
