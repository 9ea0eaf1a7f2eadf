"""Learning curves: the parts of train, the interval, the advice, and the qualities that are measured."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.learning_curve import (
    LearningCurve,
    default_sizes,
    learning_curve,
    ngram_quality,
    vector_quality,
)
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, LeanformerError
from leanformer.task import Task
from tests.cli.test_label import TOPICS, texts

SIZES = (50, 100, 200, 400)


def curve(spread: float, limit: float = 0.0, exponent: float = 0.5, draws: int = 5) -> LearningCurve:
    """Errors that follow a power law, and draws that deviate from it alike at all sizes."""
    errors = limit + 2 * np.array(SIZES) ** -exponent
    shifts = np.linspace(-spread, spread, draws)[:, None]
    return LearningCurve("accuracy", 400, SIZES, 1 - errors - shifts * errors)


def examples(rows: list[dict[str, str]], task: Task) -> Examples:
    return Examples(task, tuple(row["text"] for row in rows), tuple(task.labels.index(row["label"]) for row in rows))


@pytest.fixture
def data() -> Dataset:
    task = Task("classification", tuple(sorted(TOPICS)))
    return Dataset(task, train=examples(texts(200, 1), task), dev=examples(texts(60, 2), task))


def test_values_are_those_of_the_law() -> None:
    found = curve(0.05)
    value, low, high = found.at(1600)
    assert value == pytest.approx(1 - 2 * 1600**-0.5) and low < value < high
    gain, low, high = found.gain(1200)
    assert gain == pytest.approx(2 * 400**-0.5 - 2 * 1600**-0.5) and low < gain < high
    assert curve(0).gain(1200) == pytest.approx((gain, gain, gain))


@pytest.mark.parametrize(
    ("worth", "advice"), [(0.03, "label"), (0.07, "compress"), (0.05, "unclear"), (0.0499, "unclear")]
)
def test_advice_is_certain_or_unclear(worth: float, advice: str) -> None:
    assert curve(0.05).advice(1200, worth) == advice


def test_parts_of_a_draw_contain_one_another_and_the_whole_is_measured_once() -> None:
    seen: list[set[int]] = []

    def quality(rows: np.ndarray) -> float:
        seen.append(set(rows.tolist()))
        return 1 - len(rows) ** -0.5

    found = learning_curve(quality, "accuracy", 40, sizes=[10, 20, 40, 20], draws=3)
    assert found.sizes == (10, 20, 40) and found.scores.shape == (3, 3)
    assert [len(rows) for rows in seen] == [10, 20, 40, 10, 20, 10, 20]
    assert seen[0] < seen[1] and seen[3] < seen[4] and seen[0] != seen[3]
    assert found.to_json(10, 0.01)["law"]["exponent"] == pytest.approx(0.5)
    again = learning_curve(quality, "accuracy", 40, sizes=[10, 20, 40], draws=3)
    assert seen[7:] == seen[:7] and again.scores.tolist() == found.scores.tolist()


def test_default_sizes() -> None:
    assert default_sizes(10_000) == [500, 824, 1357, 2236, 3684, 6070, 10_000]
    assert default_sizes(20) == [2, 3, 4, 7, 12, 20]


@pytest.mark.parametrize("sizes", [[10, 20], [1, 10, 20], [10, 20, 20]])
def test_too_few_sizes_and_too_small_ones(sizes: list[int]) -> None:
    with pytest.raises(LeanformerError, match="3 sizes of 2 rows or more"):
        learning_curve(lambda rows: 0.5, "accuracy", 40, sizes=sizes)


def test_a_small_train_has_a_curve_and_the_remedy_works() -> None:
    def measure(rows: int, sizes: list[int]) -> LearningCurve:
        return learning_curve(lambda part: 1 - 1 / len(part), "accuracy", rows, sizes=sizes, draws=2)

    for rows in range(8, 31):
        assert measure(rows, []).sizes[0] >= 2
        with pytest.raises(LeanformerError) as caught:
            measure(rows, [2, 4])
        remedy = str(caught.value).split("remedy: --sizes ")[1]
        assert measure(rows, [int(size) for size in remedy.split(",")]).sizes[-1] == rows
    for rows in range(1, 5):
        with pytest.raises(LeanformerError, match="remedy: label more rows of train first, 8 or more"):
            measure(rows, [])


def test_more_rows_help_and_one_label_is_no_error(data: Dataset) -> None:
    """The first rows all have one label."""
    labels = np.array(data.train.labels)  # type: ignore[union-attr]
    same = np.flatnonzero(labels == labels[0])[:5]
    vectors = np.eye(3)
    embed = {200: vectors[labels], 60: vectors[np.array(data.dev.labels)]}  # type: ignore[union-attr]
    for quality in (ngram_quality(data), vector_quality(data, lambda part: embed[len(part)])):
        assert quality(np.arange(200)) > 0.9 > quality(same) > 0.2
        assert quality(np.arange(200)) == quality(np.arange(200))


def test_scores_and_several_labels_have_curves() -> None:
    rows = texts(80, 1)
    regression = Task("regression", ())
    scores = Examples(regression, tuple(row["text"] for row in rows), tuple(float(len(row["label"])) for row in rows))
    assert ngram_quality(Dataset(regression, train=scores, dev=scores))(np.arange(80)) > 0.7
    several = Task("multilabel", ("app", "card", "loan"))
    names = [(several.labels.index(row["label"]),) for row in rows]
    labels = Examples(several, scores.texts, tuple(names))
    assert ngram_quality(Dataset(several, train=labels, dev=labels))(np.arange(80)) > 0.7


def test_without_dev(data: Dataset) -> None:
    with pytest.raises(DataError, match="no dev split"):
        ngram_quality(Dataset(data.task, train=data.train))
    with pytest.raises(DataError, match="no train split"):
        ngram_quality(Dataset(data.task, dev=data.dev))
