"""Training a linear model on n-grams."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leanformer.answers.forms import score_logits
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, LeanformerError, MissingExtraError
from leanformer.linear import fit as fitting
from leanformer.linear.features import OVERLAP_COLUMNS
from leanformer.linear.fit import Taught, _climbed, _soft_label, can_fit, check_task, fit_linear, need_sklearn
from leanformer.predictor import answers, logits
from leanformer.task import Task
from tests.making.tiny import tiny_dataset, tiny_kind_dataset

CLASSES = Task("classification", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("kind", "least"), [("multilabel", 0.95), ("regression", 0.95), ("similarity", 0.9), ("pair", 0.9)]
)
def test_every_form_of_answer_is_learnt(kind: str, least: float):
    data = tiny_kind_dataset(kind)
    assert can_fit(data.task)
    fitted = fit_linear(data)
    assert data.test is not None and data.dev is not None
    predictor = fitted.predictor
    quality = score_logits(logits(predictor, data.test.inputs), data.test.targets, predictor.task)
    assert quality > least
    # What dev was scored with is what runs.
    again = score_logits(logits(predictor, data.dev.inputs), data.dev.targets, predictor.task)
    assert fitted.dev_quality == pytest.approx(again, abs=1e-9)


def test_one_label_is_learnt_and_its_probabilities_mean_something():
    data = tiny_dataset()
    fitted = fit_linear(data)
    assert data.test is not None
    found = answers(fitted.predictor, data.test.inputs)
    right = np.mean([data.task.labels.index(str(a.label)) == t for a, t in zip(found, data.test.targets, strict=True)])
    assert right > 0.9
    assert np.mean([max(answer.probabilities.values()) for answer in found]) == pytest.approx(right, abs=0.15)


def test_the_same_seed_gives_the_same_model():
    first, second = fit_linear(tiny_kind_dataset("pair"), seed=5), fit_linear(tiny_kind_dataset("pair"), seed=5)
    assert np.array_equal(first.predictor.weights, second.predictor.weights)
    assert (first.kinds, first.strength) == (second.kinds, second.strength)


def test_test_is_not_looked_at():
    """Not even a test split that would choose and scale otherwise, for all of its labels are wrong."""
    data = tiny_dataset()
    assert data.test is not None
    wrong = replace(data.test, labels=tuple((int(label) + 1) % 3 for label in data.test.targets))
    without, with_wrong = (fit_linear(replace(data, test=test)) for test in (None, wrong))
    assert np.array_equal(without.predictor.weights, with_wrong.predictor.weights)
    assert without.dev_quality == with_wrong.dev_quality > 0.9


def test_dev_chooses_and_teaches_nothing():
    data = tiny_dataset()
    assert data.train is not None and data.dev is not None
    others = replace(data.dev, texts=tuple(f"{text} unheard of" for text in data.dev.texts))
    found = fit_linear(replace(data, dev=others)).predictor.features.vocabularies
    expected = fitting.learn_features(data.train.inputs, False, least=1).vocabularies
    assert found.keys() == expected.keys()
    for kind, vocabulary in expected.items():
        assert np.array_equal(found[kind].hashes, vocabulary.hashes)
        assert np.array_equal(found[kind].idf, vocabulary.idf)


def test_choices_take_a_sample_and_the_model_all_texts(monkeypatch: pytest.MonkeyPatch):
    data, plain = tiny_dataset(), fitting.FITS["label"]
    assert data.train is not None and len(data.train) > 30
    taken: list[int] = []

    def noted(matrix: Any, *others: Any) -> np.ndarray:
        taken.append(matrix.shape[0])
        return plain(matrix, *others)

    monkeypatch.setattr(fitting, "CHOSEN_WITH", 30)
    monkeypatch.setitem(fitting.FITS, "label", noted)
    fit_linear(data)
    assert len(taken) > 1 and set(taken[:-1]) == {30} and taken[-1] == len(data.train)


@pytest.mark.parametrize("kinds", fitting.CHOICES)
def test_dev_chooses_the_kinds_of_n_grams(kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    """All but one are made to answer wrongly."""
    data, plain = tiny_dataset(), fitting.FITS["label"]
    assert data.train is not None
    width = fitting.learn_features(data.train.inputs, False, least=1).restricted(kinds).width

    def turned(matrix: Any, *others: Any) -> np.ndarray:
        return plain(matrix, *others) * (1 if matrix.shape[1] == width else -1)

    monkeypatch.setitem(fitting.FITS, "label", turned)
    assert fit_linear(data).kinds == kinds


@pytest.mark.parametrize(("best", "found"), [(1.0, 1.0), (0.1, 0.1), (0.03, 0.03), (3.0, 3.0), (10.0, 10.0)])
def test_the_strength_is_where_quality_is_best(best: float, found: float):
    assert _climbed(lambda strength: -abs(np.log(strength / best))) == found


def test_of_equals_the_first_strength_is_taken():
    assert _climbed(lambda strength: 0.5) == 1.0


def test_a_class_without_texts_is_never_the_answer():
    data = tiny_dataset()
    task = Task("classification", ("zoo", *data.task.labels, "art"))
    moved = {
        split: getattr(data, split).for_task(task) for split in ("train", "dev", "test")
    }  # fmt: skip
    wide = Dataset(task=task, name="wide", **moved)
    assert wide.test is not None
    found = logits(fit_linear(wide).predictor, wide.test.inputs).argmax(axis=1)
    assert set(found.tolist()) == {1, 2, 3}


def test_a_label_that_all_texts_or_none_have_is_constant():
    data = tiny_kind_dataset("multilabel")
    task = Task("multilabel", (*data.task.labels, "always", "never"))

    def more(examples: Examples) -> Examples:
        return Examples(task, examples.texts, tuple((*label, 3) for label in examples.labels or ()))  # type: ignore[misc]

    assert data.train is not None and data.dev is not None and data.test is not None
    fitted = fit_linear(Dataset(task=task, train=more(data.train), dev=more(data.dev), name="constant"))
    for answer in answers(fitted.predictor, data.test.inputs):
        assert answer.labels is not None and "always" in answer.labels and "never" not in answer.labels


def test_train_with_a_single_class_gives_it():
    data = tiny_dataset()
    assert data.train is not None and data.dev is not None
    same = replace(data.train, labels=(1,) * len(data.train))
    fitted = fit_linear(replace(data, train=same))
    assert set(logits(fitted.predictor, data.dev.inputs).argmax(axis=1).tolist()) == {1}


def test_of_very_long_dev_texts_choices_take_a_sample(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fitting, "MOST_CHARACTERS", 700)
    data, taken = tiny_dataset(), set()
    assert data.dev is not None and sum(map(len, data.dev.texts)) > 700

    def noted(logits: np.ndarray, targets: np.ndarray, task: Task) -> float:
        taken.add(len(targets))
        return score_logits(logits, targets, task)

    monkeypatch.setattr(fitting, "score_logits", noted)
    fit_linear(data)
    (texts,) = taken
    assert 0 < texts < len(data.dev)


def test_a_text_beyond_all_bounds_is_still_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fitting, "MOST_CHARACTERS", 3)
    data = tiny_dataset()
    assert data.train is not None
    assert len(fitting._bounded(data.train, np.random.default_rng(1))) == 1
    fit_linear(data)


def test_very_long_training_texts_are_drawn_from(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fitting, "MOST_CHARACTERS", 900)
    data = tiny_dataset()
    assert data.train is not None
    drawn = fitting._bounded(data.train, np.random.default_rng(1))
    assert 0 < len(drawn) < len(data.train) and sum(map(len, drawn.texts)) <= 900
    assert set(drawn.texts) <= set(data.train.texts)
    assert fitting._bounded(drawn, np.random.default_rng(1)) is drawn


@pytest.mark.parametrize("kind", ["multilabel", "pair"])
def test_many_classes_have_fewer_n_grams(kind: str, monkeypatch: pytest.MonkeyPatch):
    """Weights are as many as n-grams times classes, twice that for pairs."""
    monkeypatch.setattr(fitting, "MOST_WEIGHTS", 200)
    data = tiny_kind_dataset(kind)
    features = fit_linear(data).predictor.features
    shared = OVERLAP_COLUMNS if features.pairs else 0
    sizes = sum(vocabulary.size for vocabulary in features.vocabularies.values())
    assert 0 < sizes * data.task.outputs * (2 if features.pairs else 1) <= 200
    assert features.width <= 1 + shared + 200 // data.task.outputs


@pytest.mark.parametrize("split", ["train", "dev"])
def test_labelled_splits_are_needed(split: str):
    with pytest.raises(DataError, match=f"no labelled {split} split"):
        fit_linear(replace(tiny_dataset(), **{split: None}))


def test_tags_are_not_built():
    task = Task("tokens", ("O", "B-x", "I-x"))
    assert not can_fit(task)
    with pytest.raises(LeanformerError, match=r"'tags' are not built.*\n.*linear/fit\.py"):
        fit_linear(Dataset(task=task))


def test_without_scikit_learn_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"scikit-learn.*\n.*pip install 'leanformer\[train\]'"):
        need_sklearn()
    with pytest.raises(MissingExtraError):
        fit_linear(tiny_dataset())


# ---- a teacher's probabilities -------------------------------------------------------------------------------------


def test_probabilities_weigh_the_labels():
    """Each text has two labels, and the more probable one wins."""
    first = np.array([0.6, 0.3, 0.7, 0.2, 0.4, 0.8, 0.35, 0.65, 0.25, 0.75])
    texts = np.repeat(np.eye(11), 10, axis=0)
    shares = np.vstack([np.stack([first, 1 - first, np.zeros(10)], axis=1), [[0.0, 0.0, 1.0]]])
    weights = _soft_label(texts, np.repeat(shares, 10, axis=0), 3, 1.0, 13)
    assert (np.eye(11) @ weights).argmax(axis=1).tolist() == [*(first < 0.5), 2]


def test_the_teachers_labels_are_learnt_and_not_those_of_train():
    dev = Examples(CLASSES, ("alpha", "beta", "gamma"), (0, 1, 2))
    inputs = ["alpha"] * 10 + ["beta"] * 10 + ["gamma"] * 10
    shares = [[0.6, 0.4, 0.0]] * 10 + [[0.3, 0.7, 0.0]] * 10 + [[0.0, 0.0, 1.0]] * 10
    train = Examples(CLASSES, ("alpha", "beta", "gamma"), (1, 0, 0))
    data = Dataset(CLASSES, train=train, dev=dev)
    fitted = fit_linear(data, taught=Taught(inputs, np.array(shares)))
    assert fitted.dev_quality == 1.0
    assert logits(fitted.predictor, dev.inputs).argmax(axis=1).tolist() == [0, 1, 2]


def test_the_most_probable_label_is_kept_however_many_there_are():
    flat = np.full((4, 30), 1 / 30)
    flat[np.arange(4), np.arange(4)] += 0.001
    weights = _soft_label(np.eye(4), flat / flat.sum(axis=1, keepdims=True), 30, 1.0, 13)
    assert (np.eye(4) @ weights).argmax(axis=1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["pair", "similarity"])
def test_tasks_of_which_no_model_is_delivered(kind: str):
    check_task(tiny_dataset().task)
    with pytest.raises(LeanformerError, match=f"of kind '{kind}'\n  remedy: "):
        check_task(tiny_kind_dataset(kind).task)


def test_probabilities_are_kept_where_they_are_better_on_dev(monkeypatch: pytest.MonkeyPatch):
    """What is learnt softly answers everything with "c"; dev says whether that is better."""
    monkeypatch.setattr(fitting, "_soft_label", lambda matrix, *_: np.tile([0.0, 0.0, 1.0], (matrix.shape[1], 1)))
    taught = Taught(["alpha", "beta", "gamma"], np.eye(3))
    for labels, quality in (((0, 1, 2), 1.0), ((2, 2, 2), 1.0), ((1, 0, 0), 0.0)):
        dev = Examples(CLASSES, ("alpha", "beta", "gamma"), labels)
        assert fit_linear(Dataset(CLASSES, dev=dev), taught=taught).dev_quality == quality
