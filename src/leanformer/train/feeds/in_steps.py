"""A number of optimiser steps over as many passes as they take, in place of whole epochs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from leanformer.train.feeds.batches import Batch, TrainingSet
from leanformer.train.feeds.feed import Feed


class InSteps:
    """The first `steps` steps of another feed's epochs, in `parts` of about equal size, which are the epochs here.

    A pass over the rows may begin and end within a part.
    """

    def __init__(self, feed: Feed, steps: int, parts: int) -> None:
        self._feed, self._total, self._parts = feed, steps, parts

    @property
    def data(self) -> TrainingSet:
        return self._feed.data

    @property
    def steps_per_epoch(self) -> int:
        return -(-self._total // self._parts)

    def steps(self, epoch: int) -> list[np.ndarray]:
        first, last = (self._total * part // self._parts for part in (epoch, epoch + 1))
        size = self._feed.steps_per_epoch
        return [
            rows
            for lap in range(first // size, -(-last // size))
            for rows in self._feed.steps(lap)[max(first - lap * size, 0) : last - lap * size]
        ]

    def blocks(self, rows: np.ndarray, device: torch.device) -> Iterator[Batch]:
        return self._feed.blocks(rows, device)
