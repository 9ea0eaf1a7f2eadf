"""The light predictor: an ONNX artifact run with ONNX Runtime or OpenVINO, tokenizers and numpy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from leanformer.answers.forms import form_of, to_predictions
from leanformer.answers.prediction import Prediction
from leanformer.artifact import AGAIN, Artifact, open_artifact, open_same
from leanformer.errors import ArtifactError, DataError
from leanformer.formats import require
from leanformer.inputs.kinds import gathered, input_of, rows_of
from leanformer.machine import instruction_sets
from leanformer.predictor import CHUNK, answers_by_chunk, chunked
from leanformer.questions import as_questions, check_texts
from leanformer.runtime.cores import default_threads
from leanformer.runtime.graph_check import check_graph
from leanformer.runtime.runner import GRAPH as GRAPH
from leanformer.runtime.runner import PINNABLE as PINNABLE
from leanformer.runtime.runner import GraphRunner
from leanformer.runtime.settings import RuntimeSettings, default_engine, default_settings, read_tuning
from leanformer.runtime.stream import beside, spread
from leanformer.tagging.windows import SentenceTokenizer, Window, to_words
from leanformer.task import Question, Task, Text
from leanformer.tokenizer import Tokenizer

TOKENIZER = "tokenizer.json"
ENGINES = ("onnxruntime", "openvino", "native")
# Fewer texts than this are tokenized sooner than a worker wakes up.
_FEW = 16
Rows = TypeVar("Rows")
Result = TypeVar("Result")


class LightPredictor(GraphRunner):
    """Scores texts with the graph of an artifact of format "onnx".

    Many texts are laid into packs without padding and spread over one-thread workers (benchmarks/runtime/kernels.py
    compares that with one session that has all threads); one pack alone gets all threads, where other programs leave
    them free. What `leanformer tune` found to be faster on this machine is used instead, unless engine, workers, pack
    size or exact answers are asked for.

    Args:
        artifact: of format "onnx".
        threads: cores to use; None takes those that this process may use.
        pack_tokens: most tokens in one pack; None is the engine's choice.
        exact: run each text alone on one thread. Its answer is then the same bit for bit whatever else is asked, and
            whatever the number of threads; without, company changes the last bits.
        engine: one of `ENGINES`; "openvino" needs the extra of that name. None is `default_engine`, or ONNX Runtime
            where that one turns out not to run this graph.
        workers: packs that are run at the same time; None: one for each core.
        tuning: use what `leanformer tune` stored for this machine and number of cores.
        settings: all of these at once, as they are; the others are then not looked at.
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
        engine: str | None = None,
        windows: int | None = None,
        workers: int | None = None,
        tuning: bool = True,
        settings: RuntimeSettings | None = None,
    ) -> None:
        require(artifact, "light")
        if engine is not None and engine not in ENGINES:
            raise ValueError(f"engine is one of {', '.join(ENGINES)}, not {engine!r}")
        given: dict[str, Any] = {
            "threads": threads, "pack_tokens": pack_tokens, "exact": exact, "engine": engine, "windows": windows,
            "workers": workers, "tuning": tuning, "settings": settings,
        }  # fmt: skip
        cores, found = default_threads() if threads is None else threads, None
        chose_engine = settings is None and engine is None
        if settings is None:
            default = default_settings(cores, default_engine(artifact))
            settings = replace(
                default, engine=engine or default.engine, workers=workers or default.workers, pack_tokens=pack_tokens
            )
            if tuning and not exact and (engine, workers, pack_tokens) == (None, None, None):
                found = read_tuning(artifact, cores, ENGINES)
                settings = found.settings if found else settings
        super().__init__(artifact, cores, settings, tuning=found, exact=exact, chose_engine=chose_engine)
        self._given = given
        if windows is not None and not 0 <= windows < artifact.max_tokens - 2:
            raise ValueError(f"windows overlap by 0 to {artifact.max_tokens - 3} tokens, not {windows}")
        self.windows = windows
        missing = sorted(set(artifact.properties.get("checked_on", ())) - set(instruction_sets()))
        # The native engine's integer sums are exact everywhere.
        if missing and self.engine != "native":
            warnings.warn(
                f"{artifact.path}: its int8 answers were checked on a CPU with {', '.join(missing)}, which this "
                "one has not; measure its quality here (leanformer bench)",
                stacklevel=2,
            )
        self._tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens, overlap=windows or 0, one_core=True)
        self.limits = check_graph(artifact, artifact.file(GRAPH), self._tokenizer)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled and copied as its folder and what it was made with, and opened again from these.

        So threads that were not given are those of the process that opens it.
        """
        return _opened_again, (type(self), str(self.artifact.path.resolve()), self.artifact.content_hash, self._given)

    @property
    def task(self) -> Task:
        return self.artifact.task

    def predict(self, texts: Iterable[Question]) -> list[Prediction]:
        """The answer for each text, or each pair `(first, second)` of a model that was made for pairs, in order.

        A model that tags words takes texts, which `tagging.words.split_words` splits, and lists of words; it reads a
        long one whole, in windows.

        Texts may come as a list, an array, a column of a table, or an iterator.

        Raises `TypeError` for what is no list of texts (a bare string, a table, a mapping, a set) and for an element
        that is no text, `DataError` for an empty text, for half a surrogate pair, and for pairs where texts are wanted
        or the other way round; both say which it was.
        """
        texts = as_questions(texts)
        check_texts(texts, self.task)
        if form_of(self.task).per_word:
            return self._predict_tags(texts)
        single: Sequence[Text] = texts  # `check_texts` has looked at them
        chunks = list(chunked(single, CHUNK))
        predictions: list[Prediction] = []
        longer = 0
        try:
            for _, (cut, values) in (
                self._beside(chunks, self._windows_of_candidates, self._by_windows_of_candidates)
                if self._several
                else self._beside(chunks, self._tokenizer.windows, self._by_windows)
            ):
                longer += cut
                predictions += to_predictions(values, self.task)
        except (TypeError, DataError):
            self._tokenizer.windows(rows_of(self.task, single)[0])  # says which of all texts it was
            raise
        if longer and self.windows is None:
            warnings.warn(
                f"{longer} of {len(texts)} texts are longer than {self.artifact.max_tokens} tokens and were cut",
                stacklevel=2,
            )
        return predictions

    def _predict_tags(self, questions: Sequence[Question]) -> list[Prediction]:
        form = form_of(self.task)
        try:
            return [
                prediction for _, found in answers_by_chunk(self, chunked(questions, CHUNK)) for prediction in found
            ]
        except (TypeError, DataError):
            self.tokenize(form.texts(form.read(questions)))  # says which of all it was
            raise

    @property
    def _several(self) -> bool:
        return input_of(self.task).several

    def _by_windows(self, parts: list[list[np.ndarray]]) -> tuple[int, np.ndarray]:
        """How many texts have several windows, and the logits of each text."""
        longer = sum(len(part) > 1 for part in parts)
        if self.windows is None:
            return longer, self.infer([part[0] for part in parts])
        values = self.infer([window for part in parts for window in part])
        if longer:
            starts = np.cumsum([0] + [len(part) for part in parts[:-1]])
            counts = np.array([[len(part)] for part in parts], np.float32)
            values = np.add.reduceat(values, starts) / counts
            if not np.isfinite(values).all():
                raise ArtifactError(f"{self.artifact.path}: the mean of its answers is not finite{AGAIN}")
        return longer, values

    def _windows_of_candidates(self, texts: Sequence[Text]) -> list[list[list[np.ndarray]]]:
        """Of each question the windows of each of its rows, one row for each candidate."""
        rows, counts = rows_of(self.task, texts)
        assert counts is not None
        windows = iter(self._tokenizer.windows(rows))
        return [[next(windows) for _ in range(count)] for count in counts]

    def _by_windows_of_candidates(self, parts: list[list[list[np.ndarray]]]) -> tuple[int, np.ndarray]:
        """How many questions have several windows, and the logits of the candidates of each."""
        longer = sum(any(len(windows) > 1 for windows in rows) for rows in parts)
        _, values = self._by_windows([windows for rows in parts for windows in rows])
        return longer, gathered(values, np.array([len(rows) for rows in parts], dtype=np.int64))

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        if form_of(self.task).per_word:
            return [window.ids for _, each in self._begin(texts, self._windows_of_each)() for window in each]
        if self._several:
            return [row for rows in self._begin(texts, self._rows_of_each)() for row in rows]
        return self._begin(texts, self._tokenizer.encode)()

    def forget_words(self) -> None:
        """Empty the tokenizer's word cache (`Tokenizer.forget_words`), as timing does before each turn."""
        self._tokenizer.forget_words()

    def stream(self, chunks: Iterable[Sequence[Text]]) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
        """Each chunk and its logits, in order, with the next chunk tokenized beside the present one (`runtime.stream`).

        Three chunks are held at a time, however many there are. Chunks of some thousand texts fill packs as well as all
        texts together would. Raises as `tokenize` does, after the logits of all earlier chunks.
        """
        if form_of(self.task).per_word:
            return self._beside(chunks, self._windows_of_each, self._by_words)
        if self._several:
            return self._beside(chunks, self._rows_of_each, self._by_question)
        return self._beside(chunks, self._tokenizer.encode, self.infer)

    def _rows_of_each(self, texts: Sequence[Text]) -> list[list[np.ndarray]]:
        """The rows of each question, one for each candidate."""
        rows, counts = rows_of(self.task, texts)
        assert counts is not None
        encoded = iter(self._tokenizer.encode(rows))
        return [[next(encoded) for _ in range(count)] for count in counts]

    def _by_question(self, parts: list[list[np.ndarray]]) -> np.ndarray:
        """Logits of the candidates of each question."""
        counts = np.array([len(rows) for rows in parts], dtype=np.int64)
        return gathered(self.infer([row for rows in parts for row in rows]), counts)

    def _windows_of_each(self, sentences: Sequence[Text]) -> list[tuple[str, list[Window]]]:
        texts: Sequence[str] = sentences  # type: ignore[assignment]  # what else there is raises
        return list(zip(texts, self._sentences.windows(texts), strict=True))

    def _by_words(self, parts: list[tuple[str, list[Window]]]) -> np.ndarray:
        """Logits of the words of each sentence (see `tagging.windows.to_words`)."""
        windows = [each for _, each in parts]
        values = self.infer([window.ids for each in windows for window in each])
        return to_words(values, windows, [text for text, _ in parts], self.task.labels)

    def _beside(
        self,
        chunks: Iterable[Sequence[Text]],
        tokenize: Callable[[Sequence[Text]], list[Rows]],
        score: Callable[[list[Rows]], Result],
    ) -> Iterator[tuple[Sequence[Text], Result]]:
        if self.threads == 1:
            return ((chunk, score(tokenize(chunk))) for chunk in chunks)
        if isinstance(chunks, list) and len(chunks) == 1:
            # Nothing to be done beside it, and a thread more would only be waited for.
            return ((chunk, score(self._begin(chunk, tokenize)())) for chunk in chunks)
        return beside(chunks, lambda chunk: self._begin(chunk, tokenize), score)

    def _begin(
        self, texts: Sequence[Text], tokenize: Callable[[Sequence[Text]], list[Rows]]
    ) -> Callable[[], list[Rows]]:
        """Begin to tokenize on the workers, where there are enough texts; gives a function that waits for the rows."""
        if len(texts) == 1:
            self.rouse()
        if self.threads == 1 or isinstance(texts, str) or len(texts) < _FEW:
            return lambda: tokenize(texts)
        # Looking words up holds Python's lock, so that more workers than one would only wait for each other.
        remembers = not form_of(self.task).per_word and self._tokenizer.remembers_words
        return spread(tokenize, texts, self._workers, 1 if remembers else self.threads)

    @cached_property
    def _sentences(self) -> SentenceTokenizer:
        return SentenceTokenizer(
            self.artifact.file(TOKENIZER), self.artifact.max_tokens, overlap=self.windows, one_core=True
        )

    def sentence_windows(self, sentences: Sequence[str]) -> list[list[Window]]:
        """Of a model that tags words: each sentence as the windows that it reads (see `tagging.windows`)."""
        return [each for _, each in self._begin(sentences, self._windows_of_each)()]


def _opened_again(kind: type[LightPredictor], path: str, content: str, given: dict[str, Any]) -> LightPredictor:
    """What `LightPredictor.__reduce__` stands for, in whatever process."""
    return kind(open_same(path, content), **given)


def load(
    path: Path | str, *, threads: int | None = None, engine: str | None = None, tuning: bool = True
) -> LightPredictor:
    """Open the artifact in folder `path`, check its hashes and make it ready to predict.

    Raises `ArtifactError` when the folder is not a whole artifact of format "onnx".
    """
    return LightPredictor(open_artifact(path), threads=threads, engine=engine, tuning=tuning)
