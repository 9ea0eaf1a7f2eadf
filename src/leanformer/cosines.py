"""An embedder as a predictor of pairs: the score of two texts is the cosine of their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from leanformer.artifact import Artifact
from leanformer.metrics.probabilities import unit_vectors
from leanformer.predictor import EngineUsed, Predictor, TellsEngine
from leanformer.task import Task, Text

PAIRS = Task("similarity", ())
OPENER = "leanformer.loading:open_pairs"


class _Embedder(Predictor, Protocol):
    @property
    def engine_used(self) -> EngineUsed: ...


class PairCosines(TellsEngine):
    """An embedder as a predictor of pairs: the score of two texts is the cosine of their vectors.

    A row is the token ids of both texts, each with 0 or 1 beside it, `[tokens, 2]`.
    """

    task = PAIRS

    def __init__(self, embedder: _Embedder) -> None:
        self.embedder = embedder
        self.tuning = getattr(embedder, "tuning", None)

    @property
    def engine_used(self) -> EngineUsed:
        return self.embedder.engine_used

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        halves = [self.embedder.tokenize([str(text[side]) for text in texts]) for side in (0, 1)]
        sides = (np.concatenate([np.zeros(len(a), int), np.ones(len(b), int)]) for a, b in zip(*halves, strict=True))
        return [
            np.stack([np.concatenate(both), side], axis=1)
            for *both, side in zip(*halves, sides, strict=True)
        ]  # fmt: skip

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        halves = [row[row[:, 1] == side, 0] for side in (0, 1) for row in rows]
        vectors = unit_vectors(self.embedder.infer(halves))
        return np.asarray((vectors[: len(rows)] * vectors[len(rows) :]).sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True)
class OfPairs(Artifact):
    """The artifact of an embedder with the task of scoring pairs; its content is that of `embedder`."""

    embedder: Artifact | None = None

    @property
    def content_hash(self) -> str:
        assert self.embedder is not None
        return self.embedder.content_hash


def of_pairs(embedder: Artifact) -> OfPairs:
    """An embedder as a scorer of pairs."""
    known = {field.name: getattr(embedder, field.name) for field in fields(Artifact)}
    return OfPairs(**known | {"task": PAIRS}, embedder=embedder)
