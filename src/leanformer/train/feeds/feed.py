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

    A feed that modifies another one wraps it and delegates `blocks`.
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


class FeedPart(ABC):
    """A part of a run that modifies its feed (see `train.parts`)."""

    @abstractmethod
    def around(self, feed: Feed, *, epochs: int, seed: int) -> Feed:
        """The feed to use instead of `feed`, in a run of `epochs` epochs."""
