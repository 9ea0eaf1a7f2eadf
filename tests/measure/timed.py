"""Predictors whose speed is known, with a clock that only they move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from leanformer.predictor import Predictor
from leanformer.task import Task

TEXTS = [f"word{i}" for i in range(100)]
OTHERS = [f"other{i}" for i in range(70)]
SLOW_WORD, QUICK_WORD = 0.01, 0.001


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        return self.now


class Known(Predictor):
    """Takes `seconds` of inference for a text; a word costs `SLOW_WORD` when it is new and `QUICK_WORD` when known.

    Args:
        seconds: of inference for a text, one value for each turn (a warm-up begins a turn), the last one again.
    """

    task = Task("classification", ("a", "b"))

    def __init__(self, clock: Clock, name: str, *seconds: float) -> None:
        self.clock, self.name, self.seconds = clock, name, list(seconds)
        self.known: set[str] = set()
        self.turn = -1
        self.calls: list[tuple[str, ...]] = []

    def tokenize(self, texts: Sequence[Any]) -> list[np.ndarray]:
        for text in texts:
            self.clock.now += QUICK_WORD if text in self.known else SLOW_WORD
        self.known |= set(texts)
        self.calls.append(tuple(texts))
        return [np.zeros(1, np.int32) for _ in texts]

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        self.clock.now += len(rows) * self.seconds[min(max(self.turn, 0), len(self.seconds) - 1)]
        return np.zeros((len(rows), 2), np.float32)

    def forget_words(self) -> None:
        self.known.clear()
        self.calls.append(("forget",))


class Beside(Known):
    """The same, one that tokenizes beside inference: a chunk takes as long as the longer of the two."""

    def stream(self, chunks: Iterable[Sequence[Any]]) -> Iterator[tuple[Sequence[Any], np.ndarray]]:
        for chunk in chunks:
            start = self.clock.now
            rows = self.tokenize(chunk)
            middle = self.clock.now
            self.infer(rows)
            self.clock.now = start + max(middle - start, self.clock.now - middle)
            yield chunk, np.zeros((len(chunk), 2), np.float32)
