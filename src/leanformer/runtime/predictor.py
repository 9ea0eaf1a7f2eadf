"""The light predictor: an ONNX artifact run with ONNX Runtime or OpenVINO, tokenizers and numpy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from leanformer.answers.form import Windowed
from leanformer.answers.forms import form_of, to_predictions
from leanformer.answers.long_texts import reading, windowed_of
from leanformer.answers.prediction import Prediction
from leanformer.artifact import Artifact, open_artifact, open_same
from leanformer.errors import DataError
from leanformer.exits import Exits
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
from leanformer.task import Question, Task, Text
from leanformer.tokenizer import Tokenizer

TOKENIZER = "tokenizer.json"
ENGINES = ("onnxruntime", "openvino", "native")
# Below this number of texts, tokenizing takes less time than waking up a worker.
_FEW = 16
Rows = TypeVar("Rows")
Result = TypeVar("Result")


class LightPredictor(GraphRunner):
    """Predicts with the graph of an artifact of format "onnx".

    Many texts are packed without padding and distributed over single-threaded workers. A single pack uses all threads
    if other programs leave them free. If `leanformer tune` found faster settings for this machine, those are used,
    unless engine, workers, pack size or exact answers are given.

    Args:
        artifact: of format "onnx".
        threads: cores to use; None takes those that this process may use.
        pack_tokens: most tokens in one pack; None lets the engine choose.
        exact: run each text alone on one thread. Its answer is then bit-identical whatever else is in the call and
            whatever the number of threads; otherwise, batching changes the last bits.
        engine: one of `ENGINES`; "openvino" needs its extra. None: `default_engine`, or ONNX Runtime if that fails.
        workers: packs that are run at the same time; None: one per core.
        tuning: use what `leanformer tune` stored for this machine and number of cores.
        settings: all of these at once, used as they are; the arguments above are then ignored.
        exits: whether texts leave at calibrated early exits, with the engine "native"; `Exits`: at these instead.
        windows: how to read texts longer than the model's `max_tokens`. None: as it was trained; if that is truncated,
            `predict` warns how many are. A number: in windows with that overlap, in tokens, whose logits are averaged.
            Tags, and answers in a context, are always those of the whole text.
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
        exits: bool | Exits = True,
    ) -> None:
        require(artifact, "light")
        if engine is not None and engine not in ENGINES:
            raise ValueError(f"engine is one of {', '.join(ENGINES)}, not {engine!r}")
        given: dict[str, Any] = {
            "threads": threads, "pack_tokens": pack_tokens, "exact": exact, "engine": engine, "windows": windows,
            "workers": workers, "tuning": tuning, "settings": settings, "exits": exits,
        }  # fmt: skip
        cores, found, why = default_threads() if threads is None else threads, None, None
        if settings is None:
            chosen, reason = default_engine(artifact)
            why = reason if engine is None else None
            default = default_settings(cores, engine or chosen)
            settings = replace(default, workers=workers or default.workers, pack_tokens=pack_tokens)
            if tuning and not exact and (engine, workers, pack_tokens) == (None, None, None):
                found = read_tuning(artifact, cores, ENGINES)
                settings = found.settings if found else settings
        super().__init__(artifact, cores, settings, tuning=found, exact=exact, why=why, exits=exits)
        self._given = given
        if windows is not None and not 0 <= windows < artifact.max_tokens - 2:
            raise ValueError(f"windows overlap by 0 to {artifact.max_tokens - 3} tokens, not {windows}")
        self.windows = windows
        self._task = reading(artifact.task, None, windows)
        self.run_all_layers(self._windowed is not None)
        missing = sorted(set(artifact.properties.get("checked_on", ())) - set(instruction_sets()))
        if missing and self.engine != "native":  # whose integer sums are always exact
            warnings.warn(
                f"{artifact.path}: its int8 answers were checked on a CPU with {', '.join(missing)}, which this "
                "one has not; measure its quality here (leanformer bench)",
                stacklevel=2,
            )
        self._tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens, one_core=True)
        self.limits = check_graph(artifact, artifact.file(GRAPH), self._tokenizer)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled and copied as its folder and constructor arguments, and reopened from these.

        If the number of threads was not given, the process that opens it chooses its own.
        """
        source = (type(self), str(self.artifact.path.resolve()), self.artifact.content_hash, self._given)
        return _opened_again, source, {"_task": self._task}  # as `read_long` left it

    @property
    def task(self) -> Task:
        return self._task

    def read_long(self, long: str | None, overlap: int | None = None) -> None:
        """Read long texts in this way, not as the model was trained; see `answers.long_texts.reading`."""
        self._task = reading(self._task, long, overlap)
        self.__dict__.pop("_windower", None)
        self.run_all_layers(self._windowed is not None)

    def predict(self, texts: Iterable[Question]) -> list[Prediction]:
        """Predictions for texts, or for pairs `(first, second)` if the model takes pairs, in order.

        A model that tags words takes texts, which `tagging.words.split_words` splits, or lists of words; it reads long
        texts whole, in windows. `texts` may be a list, an array, a column of a table, or an iterator.

        Raises `TypeError` if `texts` is not a list of texts (a bare string, a table, a mapping, a set) or an element is
        not a text, and `DataError` for an empty text, half a surrogate pair, and pairs where texts are expected or the
        other way round. Messages name the element.
        """
        texts = as_questions(texts)
        check_texts(texts, self.task)
        if self._windowed is not None:
            return self._predict_in_windows(texts)
        single: Sequence[Text] = texts  # validated by `check_texts`
        chunks = list(chunked(single, CHUNK))
        predictions: list[Prediction] = []
        longer = 0
        try:
            for _, (cut, values) in (
                self._beside(chunks, self._windows_of_candidates, self._by_windows_of_candidates)
                if self._several
                else self._beside(chunks, partial(self._tokenizer.windows, most=2), self._by_windows)
            ):
                longer += cut
                predictions += to_predictions(values, self.task)
        except (TypeError, DataError):
            self._tokenizer.encode(rows_of(self.task, single)[0])  # errors then give the index among all texts
            raise
        if longer:
            warnings.warn(
                f"{longer} of {len(texts)} texts are longer than {self.artifact.max_tokens} tokens and were cut",
                stacklevel=2,
            )
        return predictions

    def _predict_in_windows(self, questions: Sequence[Question]) -> list[Prediction]:
        form = form_of(self.task)
        try:
            return [
                prediction for _, found in answers_by_chunk(self, chunked(questions, CHUNK)) for prediction in found
            ]
        except (TypeError, DataError):
            self.tokenize(form.texts(form.read(questions)))  # errors then give the index among all
            raise

    @property
    def _several(self) -> bool:
        return input_of(self.task).several

    def _by_windows(self, parts: list[list[np.ndarray]]) -> tuple[int, np.ndarray]:
        """Number of texts with several windows, and the logits of the first of each text."""
        return sum(len(part) > 1 for part in parts), self.infer([part[0] for part in parts])

    def _windows_of_candidates(self, texts: Sequence[Text]) -> list[list[list[np.ndarray]]]:
        """The first window of each question's rows, one row per candidate, and whether there are more."""
        rows, counts = rows_of(self.task, texts)
        assert counts is not None
        windows = iter(self._tokenizer.windows(rows, most=2))
        return [[next(windows) for _ in range(count)] for count in counts]

    def _by_windows_of_candidates(self, parts: list[list[list[np.ndarray]]]) -> tuple[int, np.ndarray]:
        """Number of questions with several windows, and the logits of each question's candidates."""
        longer = sum(any(len(windows) > 1 for windows in rows) for rows in parts)
        _, values = self._by_windows([windows for rows in parts for windows in rows])
        return longer, gathered(values, np.array([len(rows) for rows in parts], dtype=np.int64))

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        if self._windowed is not None:
            return [window.ids for _, group in self._begin(texts, self._windows_of_each)() for window in group]
        if self._several:
            return [row for rows in self._begin(texts, self._rows_of_each)() for row in rows]
        return self._begin(texts, self._tokenizer.encode)()

    def forget_words(self) -> None:
        """Empty the tokenizer's word cache (`Tokenizer.forget_words`), as timing does before each pass."""
        self._tokenizer.forget_words()
        if self._windowed is not None and (forget := getattr(self._windower, "forget_words", None)) is not None:
            forget()

    def stream(self, chunks: Iterable[Sequence[Text]]) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
        """Each chunk and its logits, in order; the next chunk is tokenized during inference (`runtime.stream`).

        At most three chunks are in memory. Chunks of a few thousand texts fill packs as well as all texts together
        would. Raises as `tokenize` does, after the logits of all earlier chunks.
        """
        if self._windowed is not None:
            return self._beside(chunks, self._windows_of_each, self._of_windows)
        if self._several:
            return self._beside(chunks, self._rows_of_each, self._by_question)
        return self._beside(chunks, self._tokenizer.encode, self.infer)

    def _rows_of_each(self, texts: Sequence[Text]) -> list[list[np.ndarray]]:
        """The rows of each question, one per candidate."""
        rows, counts = rows_of(self.task, texts)
        assert counts is not None
        encoded = iter(self._tokenizer.encode(rows))
        return [[next(encoded) for _ in range(count)] for count in counts]

    def _by_question(self, parts: list[list[np.ndarray]]) -> np.ndarray:
        """Logits of the candidates of each question."""
        counts = np.array([len(rows) for rows in parts], dtype=np.int64)
        return gathered(self.infer([row for rows in parts for row in rows]), counts)

    def _windows_of_each(self, texts: Sequence[Text]) -> list[tuple[Text, list[Any]]]:
        return list(zip(texts, self._windower.windows(texts), strict=True))

    def _of_windows(self, parts: list[tuple[Text, list[Any]]]) -> np.ndarray:
        """Logits of each text from those of its windows (see `answers.form.Windowed`)."""
        windows = [group for _, group in parts]
        values = self.infer([window.ids for group in windows for window in group])
        assert self._windowed is not None
        return self._windowed.join(values, windows, [text for text, _ in parts], self.task)

    def _beside(
        self,
        chunks: Iterable[Sequence[Text]],
        tokenize: Callable[[Sequence[Text]], list[Rows]],
        score: Callable[[list[Rows]], Result],
    ) -> Iterator[tuple[Sequence[Text], Result]]:
        if self.threads == 1:
            return ((chunk, score(tokenize(chunk))) for chunk in chunks)
        if isinstance(chunks, list) and len(chunks) == 1:
            # There is no other work to overlap with, and another thread would only add waiting.
            return ((chunk, score(self._begin(chunk, tokenize)())) for chunk in chunks)
        return beside(chunks, lambda chunk: self._begin(chunk, tokenize), score)

    def _begin(
        self, texts: Sequence[Text], tokenize: Callable[[Sequence[Text]], list[Rows]]
    ) -> Callable[[], list[Rows]]:
        """Start tokenizing on the workers if there are enough texts; returns a function that waits for the rows."""
        if len(texts) == 1:
            self.rouse()
        if self.threads == 1 or isinstance(texts, str) or len(texts) < _FEW:
            return lambda: tokenize(texts)
        # Word lookup holds the GIL, so additional workers would only wait for each other.
        reader = self._tokenizer if self._windowed is None else self._windower
        remembers = getattr(reader, "remembers_words", False)
        return spread(tokenize, texts, self._workers, 1 if remembers else self.threads)

    @cached_property
    def _windower(self) -> Any:
        assert self._windowed is not None
        file, tokens = self.artifact.file(TOKENIZER), self.artifact.max_tokens
        return self._windowed.tokenizer(file, tokens, overlap=self.task.overlap, one_core=True)

    @property
    def _windowed(self) -> Windowed | None:
        return windowed_of(self.task)

    def sentence_windows(self, texts: Sequence[Text]) -> list[list[Any]]:
        """The windows of each text, if long ones are read in windows (see `answers.form.Windowed`)."""
        return [group for _, group in self._begin(texts, self._windows_of_each)()]


def _opened_again(kind: type[LightPredictor], path: str, content: str, given: dict[str, Any]) -> LightPredictor:
    """Recreates a predictor for `LightPredictor.__reduce__`, in any process."""
    return kind(open_same(path, content), **given)


def load(
    path: Path | str, *, threads: int | None = None, engine: str | None = None, tuning: bool = True
) -> LightPredictor:
    """Open the artifact in folder `path`, verify its hashes and prepare it for prediction.

    Raises `ArtifactError` if the folder is not a complete artifact of format "onnx".
    """
    return LightPredictor(open_artifact(path), threads=threads, engine=engine, tuning=tuning)
