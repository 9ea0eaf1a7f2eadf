"""Figures of retrieval of several embedders on the same queries, with intervals, in comparison with the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from leanformer.measure.vectors import retrieved
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.retrieval import FIGURES


def of_embedders(
    vectors: Sequence[tuple[np.ndarray, np.ndarray]], gains: Sequence[Mapping[int, float]]
) -> list[dict[str, dict[str, dict[str, float]]]]:
    """For each model its `figures`, and from the second on what it `lost` compared with the first; as JSON.

    Args:
        vectors: of each model those of queries and documents, of length 1.
        gains: see `measure.vectors.retrieved`.

    Figures are means over queries, from 0 to 1, with 95 % bootstrap intervals over queries; those of losses are paired.
    """
    found: list[dict[str, dict[str, dict[str, float]]]] = []
    first: np.ndarray | None = None
    for queries, documents in vectors:
        values = retrieved(queries, documents, gains)
        found.append({"figures": _means(values)})
        if first is not None:
            found[-1]["lost"] = _means(first - values)
        first = values if first is None else first
    return found


def _means(values: np.ndarray) -> dict[str, dict[str, float]]:
    """The mean of each column of `[queries, figures]`, with its interval."""
    figures = {}
    for name, column in zip(FIGURES, values.T, strict=True):
        low, high = interval(lambda rows, column=column: float(column[rows].mean()), len(column))  # type: ignore[misc]
        figures[name] = {"value": float(column.mean()), "low": low, "high": high}
    return figures
