"""The Feed protocol: the rows that a training loop processes, their order, and their collation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from leanformer.train.feeds.batches import Batch, TrainingSet


class Feed(Protocol):
    """Rows for the training loop. A feed has no state: an epoch's steps depend only on its number.

    A feed that modifies another one is a `FeedAround` it.
    """

    @property
    def data(self) -> TrainingSet:
        """All rows."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """Number of optimiser steps per epoch."""
        ...

    def steps(self, epoch: int) -> list[np.ndarray]:
        """The row indices of each optimiser step of an epoch (from 0), in order."""
        ...

    def blocks(self, rows: np.ndarray, device: torch.device) -> Iterator[Batch]:
        """The padded blocks of one optimiser step, each for one forward pass."""
        ...


class FeedAround:
    """A feed that is another one, but for what a subclass defines."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    @property
    def data(self) -> TrainingSet:
        return self._feed.data

    @property
    def steps_per_epoch(self) -> int:
        return self._feed.steps_per_epoch

    def steps(self, epoch: int) -> list[np.ndarray]:
        return self._feed.steps(epoch)

    def blocks(self, rows: np.ndarray, device: torch.device) -> Iterator[Batch]:
        return self._feed.blocks(rows, device)


class FeedPart(ABC):
    """A part of a run that modifies its feed (see `train.parts`)."""

    @abstractmethod
    def around(self, feed: Feed, *, epochs: int, seed: int) -> Feed:
        """The feed to use instead of `feed`, in a run of `epochs` epochs."""
