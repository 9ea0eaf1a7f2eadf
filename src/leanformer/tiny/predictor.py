"""The predictor of a model on n-grams: compiled code if there is a compiler, numpy with the same answers if not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from leanformer.answers.prediction import Prediction
from leanformer.artifact import Artifact, open_same
from leanformer.batching import check_rows
from leanformer.errors import LeanformerError
from leanformer.predictor import EngineUsed, TellsEngine, answers
from leanformer.runtime.cores import default_threads
from leanformer.task import Question, Task, Text
from leanformer.tiny.native import NativeSums
from leanformer.tiny.rows import MOST_CHARACTERS, CharacterTokenizer
from leanformer.tiny.store import read_ngrams

_CODE_POINTS = 0x110000


class NgramPredictor(TellsEngine):
    """Scores texts with a model on n-grams.

    Args:
        artifact: of format "ngrams".
        threads: cores to use; None takes those that this process may use.
        native: use compiled code if possible; False uses numpy.
    """

    def __init__(self, artifact: Artifact, *, threads: int | None = None, native: bool = True) -> None:
        self.artifact, self._given = artifact, {"threads": threads, "native": native}
        self._model, self._tokenizer = read_ngrams(artifact), CharacterTokenizer()
        self._native, why = None, "numpy was asked for"
        if native:
            try:
                self._native = NativeSums(self._model.groups, default_threads() if threads is None else threads)
            except LeanformerError as error:
                why = str(error)
        reason, _, remedy = why.partition("\n  remedy: ")
        precision = str(artifact.properties.get("precision", "int8"))
        self._used = (
            EngineUsed("numpy", None, precision, f"numpy, and no compiled code: {reason}", remedy)
            if self._native is None
            else EngineUsed("native", self._native.level, precision, "models on n-grams run in the native engine")
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled and copied as its folder and the arguments; unpickling opens the artifact again."""
        return _opened_again, (str(self.artifact.path.resolve()), self.artifact.content_hash, self._given)

    @property
    def task(self) -> Task:
        return self.artifact.task

    @property
    def engine_used(self) -> EngineUsed:
        return self._used

    def predict(self, texts: Iterable[Question]) -> list[Prediction]:
        """Predictions for texts, in order. Raises what `predictor.answers` raises."""
        return answers(self, texts)

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """Code points of each text in lower case (see `CharacterTokenizer.encode`)."""
        return self._tokenizer.encode(texts)

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32. A row's logits do not depend on the other rows.

        Raises `DataError` for a row that is not valid input (`batching.check_rows`).
        """
        check_rows(rows, vocabulary=_CODE_POINTS, positions=MOST_CHARACTERS)
        return self._model.logits(rows, self._native)


def _opened_again(path: str, content: str, given: dict[str, Any]) -> NgramPredictor:
    """Unpickle a predictor, in any process (`NgramPredictor.__reduce__`)."""
    return NgramPredictor(open_same(path, content), **given)
