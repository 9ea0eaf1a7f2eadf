"""Choosing vectors that are spread over all others, and how dense the surroundings of each are."""

from __future__ import annotations

import warnings

import numpy as np

# Vectors are drawn if there are more: to be clustered (and ten per cluster at least), to estimate density with.
_CLUSTERED, _PER_CLUSTER, _DENSITY = 2000, 10, 1000
_TOGETHER = 2048


def central(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The rows of `[n, width]` nearest to the centres of `count` clusters (k-means), those of large clusters first.

    Of a cluster that has no row, because vectors are equal, any row is taken instead. `count` is at most n.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    generator = np.random.default_rng(seed)
    drawn = np.sort(generator.permutation(len(vectors))[: max(_CLUSTERED, _PER_CLUSTER * count)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # equal vectors give fewer clusters
        model = KMeans(count, n_init=1, max_iter=50, random_state=seed).fit(vectors[drawn])
    distances = np.linalg.norm(vectors[drawn] - model.cluster_centers_[model.labels_], axis=1)
    order = np.argsort(distances, kind="stable")
    clusters, first = np.unique(model.labels_[order], return_index=True)
    sizes = np.bincount(model.labels_, minlength=count)[clusters]
    rows = drawn[order[first]][np.argsort(-sizes, kind="stable")]
    rest = generator.permutation(np.setdiff1d(np.arange(len(vectors)), rows))
    return np.asarray(np.concatenate([rows, rest[: count - len(rows)]]))


def farthest(vectors: np.ndarray, known: np.ndarray, count: int) -> np.ndarray:
    """k-centre greedy (core-set, Sener and Savarese 2018): each row is the farthest from all known and chosen ones.

    Args:
        vectors: `[n, width]`. known: vectors of labelled rows, `[m, width]`; if there are none, the first row chosen is
            the one nearest to the mean.

    Returns `[count]` rows, in this order.
    """
    squares = (vectors**2).sum(axis=1)

    def distances(others: np.ndarray) -> np.ndarray:
        """The squared distance of each vector from the nearest of the others."""
        return np.asarray((squares[:, None] - 2 * (vectors @ others.T) + (others**2).sum(axis=1)).min(axis=1))

    nearest = np.full(len(vectors), np.inf)
    for start in range(0, len(known), _TOGETHER):
        nearest = np.minimum(nearest, distances(known[start : start + _TOGETHER]))
    rows = [] if len(known) else [int(distances(vectors.mean(axis=0)[None]).argmin())]
    while len(rows) < count:
        if rows:
            nearest = np.minimum(nearest, distances(vectors[rows[-1:]]))
            nearest[rows] = -np.inf
        rows.append(int(nearest.argmax()))
    return np.array(rows[:count])


def badge(vectors: np.ndarray, probabilities: np.ndarray, count: int, seed: int) -> np.ndarray:
    """BADGE (Ash et al. 2020): k-means++ on the gradients that the predicted label would give the last layer.

    The gradient of a row is the outer product of (probabilities - one-hot prediction) and its vector. Distances are
    computed from dot products of both factors, so the products are never built. The first row is the one with the
    largest gradient, as in the authors' code.

    Returns `[count]` rows.
    """
    errors = probabilities.copy()
    errors[np.arange(len(errors)), probabilities.argmax(axis=1)] -= 1
    squares = (errors**2).sum(axis=1) * (vectors**2).sum(axis=1)
    generator = np.random.default_rng(seed)
    rows = [int(squares.argmax())]
    nearest = np.full(len(vectors), np.inf)
    while len(rows) < count:
        last = rows[-1]
        products = (errors @ errors[last]) * (vectors @ vectors[last])
        nearest = np.minimum(nearest, np.maximum(squares + squares[last] - 2 * products, 0))
        nearest[rows] = 0
        left = np.setdiff1d(np.arange(len(vectors)), rows)
        weights = nearest[left] / total if (total := float(nearest[left].sum())) > 0 else None
        rows.append(int(generator.choice(left, p=weights)))
    return np.array(rows)


def density(vectors: np.ndarray, seed: int, neighbours: int = 10) -> np.ndarray:
    """The mean cosine of each of `[n, width]` unit vectors with its nearest neighbours, `[n]`."""
    drawn = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:_DENSITY])
    neighbours = min(neighbours, len(drawn) - 1)
    if neighbours < 1:
        return np.ones(len(vectors))
    found = []
    for start in range(0, len(vectors), _TOGETHER):
        cosines = vectors[start : start + _TOGETHER] @ vectors[drawn].T
        rows = np.arange(start, start + len(cosines))
        cosines[rows[:, None] == drawn] = -np.inf  # itself
        found.append(np.partition(cosines, -neighbours, axis=1)[:, -neighbours:].mean(axis=1))
    return np.concatenate(found)


def nearest_rows(vectors: np.ndarray, known: np.ndarray, count: int) -> np.ndarray:
    """For each of `[n, width]` unit vectors, the rows of the `count` nearest of `known`, by cosine, `[n, count]`."""
    count = min(count, len(known))
    parts = [vectors[start : start + _TOGETHER] @ known.T for start in range(0, len(vectors), _TOGETHER)]
    return np.concatenate([np.argpartition(-cosines, count - 1, axis=1)[:, :count] for cosines in parts])
