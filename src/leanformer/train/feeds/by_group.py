"""Sampling of groups of rows (languages) more evenly than in proportion to their sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from leanformer.train.encoded import GROUP
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.by_length import ByLength
from leanformer.train.settings import FitSettings


class ByGroup(ByLength):
    """As many rows per epoch as the data has, drawn by `drawn_by_group`, then batched by similar length."""

    def __init__(self, data: TrainingSet, temperature: float, **options: Any) -> None:
        super().__init__(data, **options)
        self._temperature = temperature

    def drawn(self, generator: np.random.Generator) -> np.ndarray:
        return drawn_by_group(self.data.extra[GROUP], self._temperature, generator)


def feed_of(data: TrainingSet, settings: FitSettings) -> ByLength:
    """The default feed of a run: by group if rows have groups and the settings a temperature, otherwise by length."""
    options = {"batch_size": settings.batch_size, "token_budget": settings.token_budget, "seed": settings.seed}
    if GROUP in data.extra and settings.language_temperature != 1:
        return ByGroup(data, settings.language_temperature, **options)
    return ByLength(data, **options)


def drawn_by_group(groups: np.ndarray, temperature: float, generator: np.random.Generator) -> np.ndarray:
    """Draw as many rows as there are, shuffled, each group with a share proportional to size^(1 / temperature).

    A temperature of 1 keeps the shares; higher values make them more even (Arivazhagan et al. 2019, arXiv 1907.05019).
    If a group must provide more rows than it has, all of them are repeated a whole number of times, plus a random
    subset. Rows left over after rounding the shares go to the groups with the largest remainders.
    """
    sizes = np.bincount(groups)
    shares = np.where(sizes > 0, np.maximum(sizes, 1) ** (1 / temperature), 0.0)
    exact = len(groups) * shares / shares.sum()
    wanted = np.floor(exact).astype(np.int64)
    wanted[np.argsort(wanted - exact, kind="stable")[: len(groups) - int(wanted.sum())]] += 1
    drawn = []
    for group in np.flatnonzero(sizes):
        own = np.flatnonzero(groups == group)
        times, rest = divmod(int(wanted[group]), len(own))
        drawn += [own] * times + [generator.permutation(own)[:rest]]
    return generator.permutation(np.concatenate(drawn))
