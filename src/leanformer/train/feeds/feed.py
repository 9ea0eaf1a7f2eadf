"""The Feed protocol: which rows a training loop sees, in which order, and how they are collated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from leanformer.train.feeds.batches import Batch, TrainingSet


class Feed(Protocol):
    """Rows for the training loop. A feed has no state: an epoch's steps follow from its number alone.

    A feed that varies another one wraps it, and passes `blocks` through.
    """

    @property
    def data(self) -> TrainingSet:
        """All rows."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of each epoch."""
        ...

    def steps(self, epoch: int) -> list[np.ndarray]:
        """The row indices of each optimiser step of an epoch (from 0), in order."""
        ...

    def blocks(self, rows: np.ndarray, device: torch.device) -> Iterator[Batch]:
        """The padded blocks of one optimiser step, one forward pass each."""
        ...


class FeedPart(ABC):
    """A part of a run that varies its feed (see `train.parts`)."""

    @abstractmethod
    def around(self, feed: Feed, *, epochs: int, seed: int) -> Feed:
        """The feed to take in place of `feed`, in a run of so many epochs."""
