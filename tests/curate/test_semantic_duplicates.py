"""Semantic duplicates: of texts with nearly equal vectors one stays, within a label: the farthest from the centre."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate import semantic_duplicates as module
from leanformer.curate.semantic_duplicates import ALONE, nearest_cosines, semantic_duplicates


def on_a_circle(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def cosine(degrees: float) -> float:
    return float(np.cos(np.deg2rad(degrees)))


def test_the_farthest_from_the_centre_stays():
    vectors = on_a_circle(0, 4, 50)  # the centre is near 17 degrees: 50 is farthest, then 0, then 4
    nearest = nearest_cosines(vectors, np.zeros(3))
    assert nearest == pytest.approx([cosine(50), cosine(4), ALONE])
    assert semantic_duplicates(vectors, np.zeros(3), threshold=0.99).tolist() == [False, True, False]
    assert not semantic_duplicates(vectors, np.zeros(3), threshold=0.999).any()


def test_texts_of_other_labels_are_no_duplicates():
    vectors = on_a_circle(0, 0.1, 90, 90.1)
    assert semantic_duplicates(vectors, np.array([0, 0, 1, 1]), threshold=0.99).sum() == 2
    assert not semantic_duplicates(vectors, np.array([0, 1, 0, 1]), threshold=0.99).any()


def test_a_share_stays_and_those_with_the_nearest_neighbours_go():
    vectors = on_a_circle(0, 1, 40, 48, 130, 170)
    gone = semantic_duplicates(vectors, np.zeros(6), share=4 / 6)
    assert gone.sum() == 2 and gone[:2].sum() == 1 and gone[2:4].sum() == 1
    assert not semantic_duplicates(vectors, np.zeros(6), share=1).any()


@pytest.mark.parametrize("given", [{}, {"threshold": 0.9, "share": 0.5}])
def test_one_bound_is_needed(given: dict[str, float]):
    with pytest.raises(ValueError, match="either a threshold or the share"):
        semantic_duplicates(on_a_circle(0, 1), np.zeros(2), **given)


def test_large_labels_are_compared_within_clusters(monkeypatch: pytest.MonkeyPatch):
    generator = np.random.default_rng(1)
    far = on_a_circle(*(20 + generator.normal(0, 1, 30)), *(200 + generator.normal(0, 1, 30)))
    whole = nearest_cosines(far, np.zeros(60))
    monkeypatch.setattr(module, "_PER_CLUSTER", 30)
    parts = nearest_cosines(far, np.zeros(60))
    # Each of both groups is a cluster with a farthest text of its own, which has no neighbour on the other side.
    assert (whole == ALONE).sum() == 1 and (parts == ALONE).sum() == 2
    assert (parts[parts > ALONE] > 0.99).all()
