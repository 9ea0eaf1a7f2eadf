"""Gaps between groups: recall and share of predictions, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.fairness import group_gaps


def test_gaps_are_the_largest_over_classes():
    labels = np.array([0, 0, 0, 0, 1, 1, 0, 0, 1, 1])
    predicted = np.array([0, 0, 0, 1, 1, 1, 0, 1, 0, 0])
    gaps = group_gaps(predicted, labels, ["a"] * 6 + ["b"] * 4)
    # Class 0: recall 3/4 and 1/2, predicted for 3/6 and 3/4. Class 1: recall 2/2 and 0/2, predicted for 3/6 and 1/4.
    assert gaps.opportunity == 1.0 and gaps.parity == 0.25 and gaps.fewest == 4


def test_equal_groups_have_no_gap():
    gaps = group_gaps(np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1]), ["a", "a", "b", "b"])
    assert (gaps.opportunity, gaps.parity, gaps.fewest) == (0.0, 0.0, 2)


def test_recall_is_compared_only_where_two_groups_have_the_class():
    gaps = group_gaps(np.array([0, 1]), np.array([0, 1]), ["a", "b"])
    assert gaps.opportunity is None and gaps.parity == 1.0
    with pytest.raises(ValueError, match="at least two groups"):
        group_gaps(np.array([0, 1]), np.array([0, 1]), ["a", "a"])
