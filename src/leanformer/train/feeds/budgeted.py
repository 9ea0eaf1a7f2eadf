"""A feed whose steps are collated in blocks of another size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from leanformer.train.feeds.batches import Batch, to_batches
from leanformer.train.feeds.feed import Feed, FeedAround


class Budgeted(FeedAround):
    """The steps of another feed, in blocks of at most `token_budget` tokens; it may be changed between steps."""

    def __init__(self, feed: Feed, token_budget: int) -> None:
        super().__init__(feed)
        self.token_budget = token_budget

    def blocks(self, rows: np.ndarray, device: torch.device) -> Iterator[Batch]:
        return to_batches(self.data, rows, token_budget=self.token_budget, device=device)
