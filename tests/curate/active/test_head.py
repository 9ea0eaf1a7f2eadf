"""The linear model between rounds."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.active.head import fit_head
from tests.curate.active.test_spread import clusters


@pytest.mark.parametrize("present", [[0, 2], [0, 1, 3]])
def test_it_learns_clusters_and_gives_nothing_to_classes_without_rows(present: list[int]) -> None:
    vectors = clusters(len(present), 20)
    labels = np.repeat(present, 20)
    head = fit_head(vectors, labels, 5)
    probabilities = head.probabilities(vectors)
    assert (head.answers(vectors) == labels).all() and (probabilities.argmax(axis=1) == labels).all()
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert probabilities[:, [label for label in range(5) if label not in present]].max() == 0


def test_two_classes_have_the_probabilities_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    vectors, labels = clusters(4, 10), np.repeat([0, 1, 0, 1], 10)
    expected = LogisticRegression(C=10.0, tol=1e-3, max_iter=200).fit(vectors, labels).predict_proba(vectors)
    assert fit_head(vectors, labels, 2).probabilities(vectors) == pytest.approx(expected)


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="two classes"):
        fit_head(clusters(1, 5), np.zeros(5, int), 2)
