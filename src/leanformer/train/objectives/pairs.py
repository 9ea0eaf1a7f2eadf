"""Contrastive tuning of a sentence encoder: texts of one class are to have near vectors, others distant ones.

The objective of SetFit (Tunstall, Reimers, Jo, Bates, Korat, Wasserblat and Pereg 2022, arXiv 2209.11055): the cosine
of two vectors is fitted to 1 for a pair of one class, to 0 for any other (Reimers and Gurevych 2019, arXiv 1908.10084).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.train.feeds.batches import Batch, TrainingSet
from leanformer.train.objectives.objective import Objective

PER_TEXT = 20  # partners that a text draws at most, half of them of its own class


class CosinePairs(Objective):
    """The mean squared distance of the cosine of a pair from its target, which is the pair's label.

    The model returns vectors `[2 B, H]` for a block of `B` pairs, see `pair_set`.
    """

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        vectors = model(batch.ids, batch.mask, batch.types).float()
        return (F.cosine_similarity(vectors[::2], vectors[1::2]) - batch.labels).pow(2).mean()


def draw_pairs(labels: np.ndarray, most: int, seed: int, per_text: int = PER_TEXT) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of different texts in random order, none twice: indices `[pairs, 2]`, and targets `[pairs]`, 1 or 0.

    Every text draws `per_text` / 2 partners of its own class and as many of others, or all there are. If this gives
    more than `most` pairs, so many are drawn from them, half of them of one class where there are enough.

    Args:
        labels: class of each text, `[n]`.
    """
    generator = np.random.default_rng(seed)
    found: dict[tuple[int, int], bool] = {}
    for text, label in enumerate(labels):
        for same in (True, False):
            others = np.flatnonzero((labels == label) == same)
            others = others[others != text]
            for other in generator.choice(others, min(per_text // 2, len(others)), replace=False).tolist():
                found[min(text, other), max(text, other)] = same
    pairs, targets = np.array(list(found)).reshape(-1, 2), np.array(list(found.values()), dtype=np.float32)
    order = generator.permutation(len(pairs))
    if len(order) > most:
        ones, zeros = order[targets[order] == 1], order[targets[order] == 0]
        alike = min(len(ones), max(most // 2, most - len(zeros)))
        order = generator.permutation(np.concatenate([ones[:alike], zeros[: most - alike]]))
    return pairs[order], targets[order]


def pair_set(rows: Sequence[np.ndarray], pairs: np.ndarray, targets: np.ndarray, padding_id: int) -> TrainingSet:
    """A training set of pairs of texts, whose token ids are `rows`: two rows an example."""
    counts = np.full(len(pairs), 2, dtype=np.int64)
    return TrainingSet([rows[text] for text in pairs.ravel()], targets, padding_id, counts=counts)
