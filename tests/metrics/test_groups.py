"""Slices, exemplars and fairness gaps on cases small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.exemplars import exemplars, modal_answers
from leanformer.metrics.fairness import group_gaps
from leanformer.metrics.slices import length_groups, slices


def test_slices_by_hand():
    labels = np.array([0, 0, 1, 1, 1])
    reference = np.array([0, 0, 1, 1, 0])
    ours = np.array([0, 1, 1, 0, 1])
    first, second = slices(ours, reference, labels, ["en", "en", "de", "de", "de"])
    assert (first.name, first.n, first.quality, first.reference, first.lost, first.gained) == ("en", 2, 0.5, 1.0, 1, 0)
    assert (second.name, second.n, second.lost, second.gained, second.changed) == ("de", 3, 1, 1, 2)
    assert second.loss == 0 and second.quality == second.reference == pytest.approx(2 / 3)
    assert second.loss_low < 0 < second.loss_high


def test_slices_add_up_to_the_whole():
    generator = np.random.default_rng(0)
    labels, ours, reference = (generator.integers(0, 3, 200) for _ in range(3))
    parts = slices(ours, reference, labels, [str(i % 7) for i in range(200)])
    assert sum(part.n for part in parts) == 200
    assert sum(part.n * part.quality for part in parts) == pytest.approx((ours == labels).sum())
    assert sum(part.changed for part in parts) == (ours != reference).sum()


def test_lengths_fall_into_equal_buckets():
    names = length_groups([3, 3, 3, 4, 8, 9, 20, 40])
    assert names == ("3", "3", "3", "4", "5 to 9", "5 to 9", "10 to 40", "10 to 40") or len(set(names)) <= 4
    for length, name in zip([3, 3, 3, 4, 8, 9, 20, 40], names, strict=True):
        low, _, high = name.partition(" to ")
        assert int(low) <= length <= int(high or low)
    assert set(length_groups([5, 5, 5])) == {"5"}


def test_modes_and_ties():
    assert modal_answers(np.array([[0, 1, 2], [0, 2, 2], [1, 1, 0]])).tolist() == [0, 1, 2]
    assert modal_answers(np.array([[0], [1]])).tolist() == [-1]


def test_an_exemplar_is_one_that_all_compressed_models_change():
    uncompressed = np.zeros((4, 6), dtype=int)
    compressed = np.zeros((3, 6), dtype=int)
    compressed[:, 2] = 1  # all changed
    compressed[0, 4] = 1  # one of three: not the mode
    found = exemplars(compressed, uncompressed)
    assert found.rows == (2,)
    assert (found.churn, found.excess) == (0, 1)


def test_two_populations_of_one_model_are_not_flagged():
    """Answers that differ by seed alone: what the naive count calls harm, churn takes away again."""
    generator = np.random.default_rng(5)
    unsure = generator.random(2000) < 0.2

    def population() -> np.ndarray:
        return np.where(unsure, generator.integers(0, 2, (4, 2000)), 0)

    found = exemplars(population()[:2], population())
    assert len(found.rows) > 20, "the naive count would accuse"
    assert found.excess is not None and abs(found.excess) < 0.4 * len(found.rows)


def test_one_uncompressed_model_gives_no_churn():
    found = exemplars(np.array([[1, 0]]), np.array([[0, 0]]))
    assert (found.rows, found.churn, found.excess) == ((0,), None, None)
    with pytest.raises(ValueError):
        exemplars(np.zeros((0, 2), dtype=int), np.zeros((1, 2), dtype=int))


def test_gaps_by_hand():
    labels = np.array([1, 1, 0, 0, 1, 1, 0, 0])
    predicted = np.array([1, 1, 0, 1, 1, 0, 0, 0])
    found = group_gaps(predicted, labels, ["a"] * 4 + ["b"] * 4)
    # Recall of 1: a 1, b 1/2; of 0: a 1/2, b 1. Share of 1: a 3/4, b 1/4.
    assert (found.opportunity, found.parity, found.fewest) == (0.5, 0.5, 4)


def test_equal_groups_have_no_gap_and_one_group_is_none():
    labels = np.array([0, 1, 0, 1])
    assert group_gaps(labels, labels, ["a", "a", "b", "b"]).parity == 0
    assert group_gaps(np.array([0, 1]), np.array([0, 1]), ["a", "b"]).opportunity is None, "no class in both"
    with pytest.raises(ValueError):
        group_gaps(labels, labels, ["a"] * 4)
