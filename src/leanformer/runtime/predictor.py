"""The light predictor: an ONNX artifact run with ONNX Runtime, tokenizers and numpy."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np

from leanformer.artifact import Artifact, open_artifact
from leanformer.batching import batches_by_length, pad_block
from leanformer.errors import ArtifactError
from leanformer.predictor import Prediction, check_texts, logits, to_predictions
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.engine import OnnxEngine
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer

GRAPH, TOKENIZER = "model.onnx", "tokenizer.json"


class LightPredictor:
    """Scores texts with the graph of an artifact of format "onnx".

    Many texts are batched by length and spread over one-thread workers (benchmarks/kernels.py compares that with one
    session that has all threads); one text alone gets all threads.

    Args:
        artifact: of format "onnx".
        threads: cores to use; None takes those that this process may use.
        batch_tokens: most tokens, padding included, in one batch; None runs one row at a time.
    """

    def __init__(self, artifact: Artifact, *, threads: int | None = None, batch_tokens: int | None = 1024) -> None:
        if artifact.format != "onnx":
            raise ArtifactError(
                f"{artifact.path}: format {artifact.format!r} is not run by the light runtime\n"
                "  remedy: make a graph of it with leanformer compress (recipe `quick` does not train)"
            )
        self.artifact, self.batch_tokens = artifact, batch_tokens
        self.threads = allowed_cores() if threads is None else threads
        self._padding_id = int(artifact.properties["padding_id"])
        self._tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)

    @property
    def task(self) -> Task:
        return self.artifact.task

    def predict(self, texts: Sequence[Text]) -> list[Prediction]:
        """The answer for each text, or each pair `(first, second)` of a model that was made for pairs, in order.

        Raises `TypeError` for a bare string, and `DataError` for pairs where texts are wanted or the other way round.
        """
        check_texts(texts, self.task)
        return to_predictions(logits(self, texts), self.task)

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        return self._tokenizer.encode(texts)

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32."""
        result = np.empty((len(rows), self.task.outputs), dtype=np.float32)
        batches = batches_by_length(rows, self.batch_tokens)
        engine = self._together if len(batches) == 1 or self.batch_tokens is None else self._alone

        def work(batch: list[int]) -> None:
            block = pad_block([rows[i] for i in batch], padding_id=self._padding_id)
            result[batch] = engine.run(block.ids, block.mask, block.types)

        if engine is self._alone and self.threads > 1:
            # Longest first, so that no worker is left alone with the largest batch at the end.
            list(self._workers.map(work, reversed(batches)))
        else:
            for batch in batches:
                work(batch)
        return result

    @cached_property
    def _together(self) -> OnnxEngine:
        """All threads on one call."""
        return OnnxEngine(self.artifact.file(GRAPH), self.threads)

    @cached_property
    def _alone(self) -> OnnxEngine:
        """One thread per call, called from several workers."""
        return self._together if self.threads == 1 else OnnxEngine(self.artifact.file(GRAPH), 1)

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, thread_name_prefix="leanformer")


def load(path: Path | str, *, threads: int | None = None) -> LightPredictor:
    """Open the artifact in folder `path`, check its hashes and make it ready to predict.

    Raises `ArtifactError` when the folder is not a whole artifact of format "onnx".
    """
    return LightPredictor(open_artifact(path), threads=threads)
