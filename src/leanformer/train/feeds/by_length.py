"""Batches of rows with similar length, which need little padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from leanformer.train.feeds.batches import Batch, TrainingSet, to_batches

_POOL_STEPS = 50


class ByLength:
    """Every row exactly once per epoch, in steps of rows with similar length.

    Rows are shuffled, divided into pools of 50 steps, sorted by length within a pool and divided into steps, whose
    order is shuffled again. Which rows share a step depends on chance as well as on length, and differs between epochs.
    The result depends only on the arguments.

    Args:
        batch_size: rows per optimiser step. token_budget: maximum number of tokens per block, see `to_batches`.
    """

    def __init__(self, data: TrainingSet, *, batch_size: int, token_budget: int = 8192, seed: int = 13) -> None:
        self.data, self._batch_size, self._token_budget, self._seed = data, batch_size, token_budget, seed

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.data) // self._batch_size)

    def drawn(self, generator: np.random.Generator) -> np.ndarray:
        """The shuffled rows of an epoch."""
        return generator.permutation(len(self.data))

    def steps(self, epoch: int) -> list[np.ndarray]:
        generator = np.random.default_rng([self._seed, epoch])
        order = self.drawn(generator)
        lengths = self.data.lengths
        size = self._batch_size
        steps: list[np.ndarray] = []
        for start in range(0, len(order), _POOL_STEPS * size):
            pool = order[start : start + _POOL_STEPS * size]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            steps.extend(pool[i : i + size] for i in range(0, len(pool), size))
        return [steps[i] for i in generator.permutation(len(steps))]

    def blocks(self, rows: np.ndarray, device: torch.device) -> Iterator[Batch]:
        return to_batches(self.data, rows, token_budget=self._token_budget, device=device)
