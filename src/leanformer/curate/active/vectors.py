"""Vectors of texts for choosing among them, without an encoder: latent semantic analysis of their n-grams."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leanformer.linear.features import learn_features
from leanformer.metrics.probabilities import unit_vectors
from leanformer.task import Text

WIDTH = 256
# N-grams in a single text say nothing about others; the most frequent ones are enough for 256 dimensions.
_MOST = 100_000


def ngram_vectors(inputs: Sequence[Text], paired: bool, seed: int) -> np.ndarray:
    """Vectors of length 1 `[n, width]`, at most `WIDTH` wide (Deerwester et al. 1990): TF-IDF-weighted n-grams of words
    and characters (`linear.features`), reduced by a truncated singular value decomposition.
    """
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD

    features = learn_features(inputs, paired, least=2 if len(inputs) > WIDTH else 1, most=_MOST)
    rows = features.encode(inputs)
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    entries = np.concatenate(rows)
    matrix = csr_matrix(
        (entries[:, 1], entries[:, 0].astype(np.int64), bounds), shape=(len(rows), features.width)
    )[:, 1:]  # fmt: skip
    width = min(WIDTH, len(rows), matrix.shape[1])
    with np.errstate(invalid="ignore"):  # the share of variance, of texts that are all equal
        return unit_vectors(TruncatedSVD(width, random_state=seed).fit_transform(matrix))
