"""Vectors of n-grams: texts with words in common are near, and few texts are enough."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.active.vectors import WIDTH, ngram_vectors


def test_texts_with_words_in_common_are_near() -> None:
    texts = ["the cat sat on the mat", "a cat on a mat", "stocks fell sharply today", "today stocks fell"]
    vectors = ngram_vectors(texts, False, seed=1)
    cosines = vectors @ vectors.T
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert cosines[0, 1] > cosines[0, 2] and cosines[2, 3] > cosines[2, 0]


@pytest.mark.slow
def test_one_text_pairs_and_many_texts() -> None:
    assert ngram_vectors(["one"], False, seed=1).shape == (1, 1)
    pairs = [("a man", "a woman"), ("a man", "a man")]
    assert ngram_vectors(pairs, True, seed=1).shape == (2, 2)
    many = [f"text {number} of {number * 7 % 31} words" for number in range(400)]
    assert ngram_vectors(many, False, seed=1).shape[1] <= WIDTH
    assert (ngram_vectors(many, False, seed=1) == ngram_vectors(many, False, seed=1)).all()
