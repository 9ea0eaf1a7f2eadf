"""The Predictor protocol: texts in, logits out, and how logits become answers. Measuring knows models only as this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from leanformer.errors import DataError
from leanformer.task import Task, Text

# Packs that are filled from so many texts are a few thousandths longer than if all were at hand.
CHUNK = 4096
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Prediction:
    """The answer for one text or pair of texts; which of the fields are filled depends on the task.

    Attributes:
        label: name of the most probable label; None where the answer is not one label.
        probabilities: label name -> probability, in the order of the task's labels. Where one label is the answer
            they sum to 1; where any number may apply each stands for itself. Empty for a score.
        labels: the names of all labels that apply, where any number may; else None.
        score: the score on the scale of the training data, where the answer is one; else None.
    """

    label: str | None
    probabilities: dict[str, float]
    labels: tuple[str, ...] | None = None
    score: float | None = None


@runtime_checkable
class Predictor(Protocol):
    """Anything that scores texts."""

    @property
    def task(self) -> Task: ...

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """Token ids of each text `[tokens]`; of a pair token ids and token types `[tokens, 2]`."""
        ...

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32, in the order of `rows`."""
        ...


def logits(predictor: Predictor, texts: Sequence[Text]) -> np.ndarray:
    """Logits `[texts, outputs]`, float32."""
    if not texts:
        return np.zeros((0, predictor.task.outputs), dtype=np.float32)
    return predictor.infer(predictor.tokenize(texts))


def logits_by_chunk(
    predictor: Predictor, chunks: Iterable[Sequence[Text]]
) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
    """Each chunk and its logits `[texts, outputs]`, in order.

    A predictor may have a method `stream(chunks)` that gives the same and does tokenizing and inference side by side;
    of one without, chunks are scored one after the other.
    """
    stream = getattr(predictor, "stream", None)
    return ((chunk, logits(predictor, chunk)) for chunk in chunks) if stream is None else stream(chunks)


def chunked(texts: Iterable[_Item], size: int = CHUNK) -> Iterator[list[_Item]]:
    """The texts in lists of `size`; the last may be shorter."""
    source = iter(texts)
    while chunk := list(islice(source, size)):
        yield chunk


def check_texts(texts: Sequence[Text], task: Task) -> None:
    """Raise `DataError` where a pair is given for a single text, or a single text for a pair; `TypeError` for others.

    A bare string is a `TypeError`: it would be taken for a list of letters.
    """
    if isinstance(texts, str):
        raise TypeError("predict takes a list of texts; wrap one text in a list")
    for number, text in enumerate(texts, start=1):
        is_pair = isinstance(text, tuple | list)
        if not (isinstance(text, str) or (is_pair and len(text) == 2 and all(isinstance(one, str) for one in text))):
            raise TypeError(f"text {number} is neither a string nor two of them, but {text!r:.60}")
        if is_pair and not task.pairs:
            raise DataError(
                f"text {number} is a pair of texts, and the model was made for single ones ({task.kind})",
                remedy="give strings, or a model that was trained on pairs",
            )
        if task.pairs and not is_pair:
            raise DataError(
                f"text {number} is a single text, and the model was made for pairs ({task.kind})",
                remedy='give pairs: [("first text", "second text"), ...]',
            )


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), by way of tanh so that it cannot overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def decide(values: np.ndarray, task: Task) -> np.ndarray:
    """The answers that logits `[n, outputs]` stand for.

    Returns class indices `[n]` for one label, whether each label applies `[n, labels]` for any number of them, and
    scores `[n]`, float64, on the scale of the training data.
    """
    if task.answer == "label":
        return np.asarray(values.argmax(axis=1))
    if task.answer == "labels":
        thresholds = 0.5 if task.thresholds is None else np.asarray(task.thresholds)
        return np.asarray(sigmoid(values.astype(np.float64)) >= thresholds)
    offset, unit = task.scale or (0.0, 1.0)
    return np.asarray(offset + unit * values[:, 0].astype(np.float64))


def to_predictions(values: np.ndarray, task: Task) -> list[Prediction]:
    """Logits `[texts, outputs]` to one `Prediction` per text."""
    decided = decide(values, task)
    if task.answer == "score":
        return [Prediction(label=None, probabilities={}, score=float(one)) for one in decided]
    several = task.answer == "labels"
    shares = (sigmoid if several else softmax)(values.astype(np.float64))
    named = [{name: float(value) for name, value in zip(task.labels, row, strict=True)} for row in shares]
    if several:
        return [
            Prediction(None, each, labels=tuple(name for name, given in zip(task.labels, row, strict=True) if given))
            for each, row in zip(named, decided, strict=True)
        ]
    return [Prediction(task.labels[int(index)], each) for each, index in zip(named, decided, strict=True)]
