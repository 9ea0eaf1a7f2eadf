"""A number of optimiser steps over as many passes as they take, in place of whole epochs."""

from __future__ import annotations

import numpy as np

from leanformer.train.feeds.feed import Feed, FeedAround


class InSteps(FeedAround):
    """The first `steps` steps of another feed's epochs, in `parts` of about equal size, which are the epochs here.

    A pass over the rows may begin and end within a part.
    """

    def __init__(self, feed: Feed, steps: int, parts: int) -> None:
        super().__init__(feed)
        self._total, self._parts = steps, parts

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
