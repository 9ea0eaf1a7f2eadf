"""The assignment that agrees best, against all there are; and when it is none to rely on."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from leanformer.metrics.assignment import Assignment, assign, best_assignment


def one_hot(values: np.ndarray, width: int) -> np.ndarray:
    return np.eye(width, dtype=bool)[values]


def answered(labels: int, rows: int, right: float, seed: int, columns: int = 0) -> tuple[Assignment, np.ndarray]:
    """Rows of which a share is answered rightly, the columns in an order of their own; and that order."""
    generator = np.random.default_rng(seed)
    columns = columns or labels
    order = generator.permutation(columns)[:labels]
    true = generator.integers(0, labels, size=rows)
    said = np.where(generator.random(rows) < right, order[true], generator.integers(0, columns, size=rows))
    return assign(one_hot(true, labels), one_hot(said, columns)), order


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 5), (5, 5), (4, 7)])
def test_no_assignment_has_a_larger_sum(shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(sum(shape))
    for _ in range(50):
        gain = generator.integers(-5, 6, size=shape).astype(float)
        found = best_assignment(gain)
        sums = [gain[np.arange(shape[0]), list(each)].sum() for each in permutations(range(shape[1]), shape[0])]
        assert len(set(found)) == shape[0] and gain[np.arange(shape[0]), found].sum() == max(sums)


@pytest.mark.parametrize(("labels", "columns"), [(2, 2), (3, 3), (5, 8), (40, 40)])
def test_the_order_of_a_good_model_is_found_and_clear(labels: int, columns: int) -> None:
    for seed in range(10):
        found, order = answered(labels, 20 * labels, 0.9, seed, columns)
        assert found.columns == tuple(order) and not found.unclear and found.beats_chance(columns)
        assert found.runner_up < found.right


@pytest.mark.parametrize("labels", [2, 3, 10])
def test_a_model_that_knows_nothing_is_hardly_ever_taken_for_one_that_does(labels: int) -> None:
    taken = sum(
        not found.unclear and found.beats_chance(labels)
        for found, _ in (answered(labels, 200, 0.0, seed) for seed in range(200))
    )
    assert taken <= 1


def test_a_model_that_always_says_the_same_agrees_by_chance_alone() -> None:
    true = np.array([0] * 90 + [1] * 10)
    found = assign(one_hot(true, 2), one_hot(np.zeros(100, np.int64), 2))
    assert not found.beats_chance(2)


def test_labels_that_too_few_rows_tell_apart_are_named() -> None:
    true = np.array([0] * 50 + [1] * 50 + [2, 3])
    found = assign(one_hot(true, 4), one_hot((true + 1) % 4, 4))
    assert found.columns == (1, 2, 3, 0) and found.unclear == (2, 3) and found.beats_chance(4)


def test_one_label_that_no_row_has_is_what_is_left() -> None:
    true = np.array([0] * 20 + [1] * 20)
    found = assign(one_hot(true, 3), one_hot(np.array([2] * 20 + [0] * 20), 3))
    assert found.columns == (2, 0, 1) and not found.unclear


def test_several_labels_of_a_text() -> None:
    generator = np.random.default_rng(3)
    true = generator.random((200, 4)) < (0.9, 0.5, 0.1, 0.3)
    given = np.where(generator.random((200, 4)) < 0.9, true, ~true)
    order = np.array([2, 0, 3, 1])
    found = assign(true, given[:, np.argsort(order)])
    assert found.columns == tuple(order) and not found.unclear and found.beats_chance(4)


def test_more_labels_than_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rows for 2 columns"):
        best_assignment(np.zeros((3, 2)))


def test_a_column_that_is_nearly_always_given_is_not_taken_for_the_most_frequent_label() -> None:
    rows = np.arange(100)
    true = np.stack([rows < 80, rows >= 80], axis=1)
    given = np.stack([(rows < 70) | (rows >= 80), rows < 40], axis=1)
    assert assign(true, given).columns == (1, 0), "by what they have in common beyond chance"


def test_the_more_assignments_there_are_the_better_the_best_must_agree() -> None:
    two, ten = (Assignment(tuple(range(n)), 25, 100, 10.0, 20, ()) for n in (2, 10))
    assert two.beats_chance(2) and not ten.beats_chance(10)
    assert Assignment(tuple(range(10)), 40, 100, 10.0, 20, ()).beats_chance(10)


def test_a_label_may_be_a_column_that_no_other_label_has() -> None:
    true = one_hot(np.array([0] * 30 + [1] * 30), 2)
    found = assign(true, one_hot(np.array([0] * 30 + [1] * 16 + [2] * 14), 3))
    assert found.columns == (0, 1) and found.unclear == (1,) and found.runner_up == found.right - 2
