"""The light predictor: an ONNX artifact run with ONNX Runtime or OpenVINO, tokenizers and numpy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import ArtifactError, DataError
from leanformer.machine import instruction_sets
from leanformer.predictor import CHUNK, Prediction, check_texts, chunked, to_predictions
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.engine import Engine, OnnxEngine
from leanformer.runtime.packing import Lines
from leanformer.runtime.stream import beside, spread
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer

GRAPH, TOKENIZER = "model.onnx", "tokenizer.json"
ENGINES = ("onnxruntime", "openvino", "native")
# Fewer texts than this are tokenized sooner than a worker wakes up.
_FEW = 16
Rows = TypeVar("Rows")
Result = TypeVar("Result")


class LightPredictor:
    """Scores texts with the graph of an artifact of format "onnx".

    Many texts are laid into packs without padding and spread over one-thread workers (benchmarks/kernels.py compares
    that with one session that has all threads); one pack alone gets all threads.

    Args:
        artifact: of format "onnx".
        threads: cores to use; None takes those that this process may use.
        pack_tokens: most tokens in one pack; None is the engine's choice.
        exact: run each text alone on one thread. Its answer is then the same bit for bit whatever else is asked, and
            whatever the number of threads; without, company changes the last bits.
        engine: one of `ENGINES`; "openvino" needs the extra of that name.
        windows: what becomes of texts longer than the model's `max_tokens`. None: `predict` cuts them, and warns how
            many. A number: `predict` reads them in windows that overlap by so many tokens, and averages their logits.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        threads: int | None = None,
        pack_tokens: int | None = None,
        exact: bool = False,
        engine: str = "onnxruntime",
        windows: int | None = None,
    ) -> None:
        if artifact.format != "onnx":
            raise ArtifactError(
                f"{artifact.path}: format {artifact.format!r} is not run by the light runtime\n"
                "  remedy: make a graph of it with leanformer compress (recipe `quick` does not train)"
            )
        if engine not in ENGINES:
            raise ValueError(f"engine is one of {', '.join(ENGINES)}, not {engine!r}")
        self.artifact, self.pack_tokens, self.exact, self.engine = artifact, pack_tokens, exact, engine
        self.threads = allowed_cores() if threads is None else threads
        if windows is not None and not 0 <= windows < artifact.max_tokens - 2:
            raise ValueError(f"windows overlap by 0 to {artifact.max_tokens - 3} tokens, not {windows}")
        self.windows = windows
        missing = sorted(set(artifact.properties.get("checked_on", ())) - set(instruction_sets()))
        if missing:
            warnings.warn(
                f"{artifact.path}: its int8 answers were checked on a CPU with {', '.join(missing)}, which this "
                "one has not; measure its quality here (leanformer bench)",
                stacklevel=2,
            )
        self._tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens, overlap=windows or 0, one_core=True)

    @property
    def task(self) -> Task:
        return self.artifact.task

    def predict(self, texts: Sequence[Text]) -> list[Prediction]:
        """The answer for each text, or each pair `(first, second)` of a model that was made for pairs, in order.

        Raises `TypeError` for a bare string and for what is no text, `DataError` for half a surrogate pair, and for
        pairs where texts are wanted or the other way round.
        """
        texts = texts if isinstance(texts, str) else list(texts)
        check_texts(texts, self.task)
        predictions: list[Prediction] = []
        longer = 0
        try:
            for _, (cut, values) in self._beside(chunked(texts, CHUNK), self._tokenizer.windows, self._by_windows):
                longer += cut
                predictions += to_predictions(values, self.task)
        except (TypeError, DataError):
            self._tokenizer.windows(texts)  # says which of all texts it was
            raise
        if longer and self.windows is None:
            warnings.warn(
                f"{longer} of {len(texts)} texts are longer than {self.artifact.max_tokens} tokens and were cut",
                stacklevel=2,
            )
        return predictions

    def _by_windows(self, parts: list[list[np.ndarray]]) -> tuple[int, np.ndarray]:
        """How many texts have several windows, and the logits of each text."""
        longer = sum(len(one) > 1 for one in parts)
        if self.windows is None:
            return longer, self.infer([one[0] for one in parts])
        values = self.infer([part for one in parts for part in one])
        if longer:
            starts = np.cumsum([0] + [len(one) for one in parts[:-1]])
            counts = np.array([[len(one)] for one in parts], np.float32)
            values = np.add.reduceat(values, starts) / counts
        return longer, values

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        return self._begin(texts, self._tokenizer.encode)()

    def stream(self, chunks: Iterable[Sequence[Text]]) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
        """Each chunk and its logits, in order, with the next chunk tokenized beside the present one (`runtime.stream`).

        Three chunks are held at a time, however many there are. Chunks of some thousand texts fill packs as well as all
        texts together would. Raises as `tokenize` does, after the logits of all earlier chunks.
        """
        return self._beside(chunks, self._tokenizer.encode, self.infer)

    def _beside(
        self,
        chunks: Iterable[Sequence[Text]],
        tokenize: Callable[[Sequence[Text]], list[Rows]],
        score: Callable[[list[Rows]], Result],
    ) -> Iterator[tuple[Sequence[Text], Result]]:
        if self.threads == 1:
            return ((chunk, score(tokenize(chunk))) for chunk in chunks)
        return beside(chunks, lambda chunk: self._begin(chunk, tokenize), score)

    def _begin(
        self, texts: Sequence[Text], tokenize: Callable[[Sequence[Text]], list[Rows]]
    ) -> Callable[[], list[Rows]]:
        """Begin to tokenize on the workers, where there are enough texts; gives a function that waits for the rows."""
        if self.threads == 1 or isinstance(texts, str) or len(texts) < _FEW:
            return lambda: tokenize(texts)
        # Looking words up holds Python's lock, so that more workers than one would only wait for each other.
        return spread(tokenize, texts, self._workers, 1 if self._tokenizer.remembers_words else self.threads)

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32."""
        result = np.empty((len(rows), self.task.outputs), dtype=np.float32)
        if self.exact or len(rows) < 2:
            packs = [[[index]] for index in range(len(rows))]
        else:
            packs = self._alone.cut(rows, self.pack_tokens)
        engine = self._together if len(packs) == 1 and not self.exact else self._alone

        def work(lines: Lines) -> None:
            result[[i for line in lines for i in line]] = engine.run(rows, lines)

        if engine is self._alone and self.threads > 1 and len(packs) > 1:
            # Longest first, so that no worker is left alone with the largest pack at the end.
            list(self._workers.map(work, packs))
        else:
            for lines in packs:
                work(lines)
        return result

    @cached_property
    def _together(self) -> Engine:
        """All threads on one call."""
        if self.threads == 1:
            return self._alone
        together = getattr(self._alone, "together", None)
        return self._open(self.threads) if together is None else together(self.threads)

    @cached_property
    def _alone(self) -> Engine:
        """One thread per call, called from several workers."""
        return self._open(1)

    def _open(self, threads: int) -> Engine:
        path, padding_id = self.artifact.file(GRAPH), int(self.artifact.properties["padding_id"])
        if self.engine == "openvino":
            from leanformer.runtime.openvino_engine import OpenVinoEngine

            return OpenVinoEngine(path, threads, streams=self.threads if threads == 1 else 1)
        if self.engine == "native":
            from leanformer.runtime.native_engine import NativeEngine

            return NativeEngine(path, self.artifact.properties)
        return OnnxEngine(path, threads, padding_id=padding_id)

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, thread_name_prefix="leanformer")


def load(path: Path | str, *, threads: int | None = None, engine: str = "onnxruntime") -> LightPredictor:
    """Open the artifact in folder `path`, check its hashes and make it ready to predict.

    Raises `ArtifactError` when the folder is not a whole artifact of format "onnx".
    """
    return LightPredictor(open_artifact(path), threads=threads, engine=engine)
