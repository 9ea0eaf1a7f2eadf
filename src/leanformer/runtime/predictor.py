"""The light predictor: an ONNX artifact run with ONNX Runtime or OpenVINO, tokenizers and numpy."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np

from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import ArtifactError
from leanformer.machine import instruction_sets
from leanformer.predictor import Prediction, Question, answers, check_texts, to_predictions
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.engine import Engine, OnnxEngine
from leanformer.runtime.packing import Lines, places
from leanformer.tagging.windows import SentenceTokenizer, Window
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer

GRAPH, TOKENIZER = "model.onnx", "tokenizer.json"
ENGINES = ("onnxruntime", "openvino")


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
            A model that tags words reads every text whole; the number is the overlap there.
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
        self._tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens, overlap=windows or 0)

    @property
    def task(self) -> Task:
        return self.artifact.task

    def predict(self, texts: Sequence[Question]) -> list[Prediction]:
        """The answer for each text, or each pair `(first, second)` of a model that was made for pairs, in order.

        A model that tags words takes texts, which `tagging.words.split_words` splits, and lists of words; it reads a
        long one whole, in windows.

        Raises `TypeError` for a bare string and for what is no text, `DataError` for half a surrogate pair, and for
        pairs where texts are wanted or the other way round.
        """
        texts = texts if isinstance(texts, str) else list(texts)
        check_texts(texts, self.task)
        if self.task.answer == "tags":
            return answers(self, texts)
        parts = self._tokenizer.windows(texts)  # type: ignore[arg-type]  # `check_texts` has looked at them
        longer = sum(len(one) > 1 for one in parts)
        if self.windows is None:
            if longer:
                warnings.warn(
                    f"{longer} of {len(parts)} texts are longer than {self.artifact.max_tokens} tokens and were cut",
                    stacklevel=2,
                )
            return to_predictions(self.infer([one[0] for one in parts]), self.task)
        values = self.infer([part for one in parts for part in one])
        if longer:
            starts = np.cumsum([0] + [len(one) for one in parts[:-1]])
            counts = np.array([[len(one)] for one in parts], np.float32)
            values = np.add.reduceat(values, starts) / counts
        return to_predictions(values, self.task)

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        if self.task.answer == "tags":
            return [one.ids for each in self.sentence_windows([str(text) for text in texts]) for one in each]
        return self._tokenizer.encode(texts)

    @cached_property
    def _sentences(self) -> SentenceTokenizer:
        return SentenceTokenizer(self.artifact.file(TOKENIZER), self.artifact.max_tokens, overlap=self.windows)

    def sentence_windows(self, sentences: Sequence[str]) -> list[list[Window]]:
        """Of a model that tags words: each sentence as the windows that it reads (see `tagging.windows`)."""
        return self._sentences.windows(sentences)

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32; of a model that tags words `[all tokens, outputs]`."""
        tags = self.task.answer == "tags"
        starts = np.cumsum([0, *(len(row) for row in rows)]) if tags else np.arange(len(rows) + 1)
        result = np.empty((int(starts[-1]), self.task.outputs), dtype=np.float32)
        if self.exact or len(rows) < 2:
            packs = [[[index]] for index in range(len(rows))]
        else:
            packs = self._alone.cut(rows, self.pack_tokens)
        engine = self._together if len(packs) == 1 and not self.exact else self._alone

        def work(lines: Lines) -> None:
            result[places(starts, lines)] = engine.run(rows, lines)

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
        return self._alone if self.threads == 1 else self._open(self.threads)

    @cached_property
    def _alone(self) -> Engine:
        """One thread per call, called from several workers."""
        return self._open(1)

    def _open(self, threads: int) -> Engine:
        path, padding_id = self.artifact.file(GRAPH), int(self.artifact.properties["padding_id"])
        if self.engine == "openvino":
            from leanformer.runtime.openvino_engine import OpenVinoEngine

            return OpenVinoEngine(path, threads, streams=self.threads if threads == 1 else 1)
        return OnnxEngine(path, threads, padding_id=padding_id)

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, thread_name_prefix="leanformer")


def load(path: Path | str, *, threads: int | None = None, engine: str = "onnxruntime") -> LightPredictor:
    """Open the artifact in folder `path`, check its hashes and make it ready to predict.

    Raises `ArtifactError` when the folder is not a whole artifact of format "onnx".
    """
    return LightPredictor(open_artifact(path), threads=threads, engine=engine)
