"""Does a model give the same answer however it is run: alone, packed, padded, on other engines and thread counts?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.errors import LeanformerError
from leanformer.predictor import Predictor, rows_read
from leanformer.task import Task, Text


class Alone:
    """A predictor that runs one text at a time."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    @property
    def task(self) -> Task:
        return self._predictor.task

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        return self._predictor.tokenize(texts)

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([self._predictor.infer([row]) for row in rows])


class OtherCompany(Alone):
    """A predictor that runs a random half of the texts, then the other half, so that each is batched with other texts.

    Shuffling alone would not do this: runtimes sort by length, and would form the same packs and batches.
    """

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        halves = np.array_split(np.random.default_rng(len(rows)).permutation(len(rows)), 2)
        found = [self._predictor.infer([rows[i] for i in half]) for half in halves if len(half)]
        back = np.empty_like(np.concatenate(found))
        back[np.concatenate(halves)] = np.concatenate(found)
        return back


def stability(
    predictor: Predictor, ways: Mapping[str, Callable[[], Predictor]], texts: Sequence[Text]
) -> dict[str, Any]:
    """How far answers and logits differ from those of `predictor`, run on all texts at once, in each other way.

    Returns {"n", "spread", "ways"}: `spread` is the standard deviation of the logits; for each way {"changed": share
    of answers (None for scores), "largest": largest difference of a logit, "identical": bit for bit}, or
    {"unavailable": reason} if it cannot be run here.
    """
    rows, together = rows_read(predictor, texts)
    reference = together(predictor.infer(rows))
    found: dict[str, Any] = {}
    for name, open_way in ways.items():
        try:
            values = together(open_way().infer(rows))
        except (LeanformerError, ImportError) as error:
            found[name] = {"unavailable": str(error).splitlines()[0]}
            continue
        found[name] = _moved(values, reference, predictor.task)
    return {"n": len(texts), "spread": float(reference.std()), "ways": found}


def _moved(values: np.ndarray, reference: np.ndarray, task: Task) -> dict[str, Any]:
    form = form_of(task)
    ours, theirs = (form.decide(logits, task) for logits in (values, reference))
    return {
        "changed": form.flipped(ours, theirs),
        "largest": float(np.abs(values - reference).max()),
        "identical": bool(np.array_equal(values, reference)),
    }
