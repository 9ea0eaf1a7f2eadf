"""Groups of rows by length, and the scores of a model and its reference in each."""

from __future__ import annotations

from collections import Counter

import numpy as np

from leanformer.metrics.slices import length_groups, slices


def test_buckets_hold_about_equally_many_rows_and_equal_lengths_together():
    names = length_groups(range(1, 9), buckets=4)
    assert names == ("1 to 2",) * 2 + ("3 to 4",) * 2 + ("5 to 6",) * 2 + ("7 to 8",) * 2
    assert length_groups([3, 3, 3, 3, 3, 9], buckets=2) == ("3",) * 5 + ("4 to 9",)
    assert length_groups([5, 5, 5]) == ("5",) * 3
    assert set(Counter(length_groups(list(range(100)), buckets=5)).values()) <= {19, 20, 21}


def test_each_group_counts_what_was_lost_and_gained():
    labels = np.array([0, 0, 1, 1, 0, 1])
    reference = np.array([0, 0, 1, 0, 1, 1])
    predicted = np.array([0, 1, 0, 1, 1, 1])
    first, second = slices(predicted, reference, labels, ["b", "b", "b", "b", "a", "a"])
    assert (first.name, second.name) == ("b", "a"), "in the order of the rows"
    assert (first.n, first.quality, first.reference) == (4, 0.5, 0.75)
    assert (first.lost, first.gained, first.changed, first.loss) == (2, 1, 3, 0.25)
    assert first.loss_low < first.loss < first.loss_high
    assert (second.n, second.quality, second.reference) == (2, 0.5, 0.5)
    assert (second.lost, second.gained, second.changed, second.loss) == (0, 0, 0, 0.0)
