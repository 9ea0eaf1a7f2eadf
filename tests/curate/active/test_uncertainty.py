"""Uncertainty of probabilities, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.active.uncertainty import contrast, disagreement, entropy, least_confident, margin

P = np.array([[0.5, 0.3, 0.2], [0.4, 0.39, 0.21], [1.0, 0.0, 0.0], [0.45, 0.1, 0.45]])


def test_by_hand() -> None:
    assert margin(P) == pytest.approx([0.8, 0.99, 0.0, 1.0])
    assert least_confident(P) == pytest.approx([0.5, 0.6, 0.0, 0.55])
    assert entropy(P)[:3] == pytest.approx(
        [-(0.5 * np.log(0.5) + 0.3 * np.log(0.3) + 0.2 * np.log(0.2)), 1.06148, 0], abs=1e-5
    )


def test_disagreement_is_zero_where_all_say_the_same_and_not_where_each_is_sure_of_another() -> None:
    same = np.stack([P, P, P])
    assert disagreement(same) == pytest.approx([0, 0, 0, 0], abs=1e-12)
    sure = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    unsure = np.array([[[0.5, 0.5]], [[0.5, 0.5]]])
    assert disagreement(sure) == pytest.approx([np.log(2)])
    assert disagreement(unsure) == pytest.approx([0], abs=1e-12)


def test_contrast_is_the_mean_divergence_from_the_neighbours() -> None:
    own = np.array([[0.5, 0.5], [0.9, 0.1]])
    neighbours = np.array([[[0.5, 0.5], [0.9, 0.1]], [[0.9, 0.1], [0.9, 0.1]]])
    expected = (0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)) / 2
    assert contrast(own, neighbours) == pytest.approx([expected, 0], abs=1e-9)
