"""Runs packs of rows: chooses the engine and its threads, and handles an engine that does not run."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.artifact import AGAIN, Artifact
from leanformer.batching import check_rows
from leanformer.errors import ArtifactError, LeanformerError, MissingExtraError
from leanformer.exits import Exits, exits_to_ask
from leanformer.forking import never_free, tell_of_forks
from leanformer.predictor import EngineUsed, TellsEngine
from leanformer.runtime.cores import places
from leanformer.runtime.engines.engine import Engine, OnnxEngine
from leanformer.runtime.finite import first_not_finite
from leanformer.runtime.free_cores import FreeCores
from leanformer.runtime.graph_check import InputLimits
from leanformer.runtime.native.exits import Leaving
from leanformer.runtime.native.levels import GENERIC, VARIABLE, forced_level
from leanformer.runtime.packing import Lines, result_rows
from leanformer.runtime.settings import (
    DEFAULT_ENGINE,
    TUNED,
    RuntimeSettings,
    Tuning,
    Why,
    default_settings,
    precision_of,
)
from leanformer.runtime.workers import WorkerThreads

GRAPH = "model.onnx"
# Engines that compute on the calling thread, so that pinning the thread pins the computation.
PINNABLE = ("onnxruntime", "native")
GIVEN = Why("the program asked for it")


class GraphRunner(TellsEngine):
    """Rows of token ids to logits, with the graph of an artifact.

    Args:
        artifact: of format "onnx".
        threads: cores to use.
        settings: how to run it.
        tuning: where the settings come from, if they were stored.
        exact: run each row alone on one thread.
        why: why this engine, unless it was tuned; then ONNX Runtime may replace it. None: the caller asked for it.
        exits: whether the engine native lets texts leave at the artifact's early exits, if calibrated, or at these;
            other engines run all layers.
    """

    def __init__(
        self,
        artifact: Artifact,
        threads: int,
        settings: RuntimeSettings,
        *,
        tuning: Tuning | None = None,
        exact: bool = False,
        why: Why | None = None,
        exits: bool | Exits = True,
    ) -> None:
        self.exits = exits_to_ask(artifact, exits)
        self.artifact, self.threads, self.settings, self.exact = artifact, threads, settings, exact
        self.tuning, self._chose_engine, self._why = tuning, why is not None, why or GIVEN
        self._given: dict[str, Any] = {}
        self.limits = InputLimits(None, None)
        self._open_nothing()

    def _open_nothing(self) -> None:
        """Reset the state that belongs to one process: engines and worker threads are created when first needed."""
        self._engines: dict[tuple[str, int, int, int], Engine] = {}
        self._lock = threading.Lock()
        self._leaving = None if self.exits is None else Leaving(self.exits)
        self.__dict__.pop("_workers", None)
        tell_of_forks(self)

    def begin_in_child(self) -> None:
        """See `forking`: engines are reopened, because their threads do not exist in the child process."""
        never_free((*self._engines.values(), self.__dict__.get("_workers")))
        self._open_nothing()

    @property
    def engine(self) -> str:
        """The engine in use; before the first prediction, or `engine_reason`, the one that will be tried."""
        return self.settings.engine

    @property
    def engine_used(self) -> EngineUsed:
        """The engine, its level, the precision, and why. The engine is opened if it is not yet: only then it shows
        whether it runs here.
        """
        try:
            opened: Any = self._opened or self._shared
        except (ArtifactError, MissingExtraError) as error:
            self._give_way(error)
            opened = self._shared
        level, why = getattr(opened, "level", None), TUNED if self.tuning is not None else self._why
        if level is not None and forced_level() == level != (best := opened.best_level):
            why = Why(f"{VARIABLE}={level}, and this CPU has {best}", f"unset {VARIABLE}")
        return EngineUsed(self.engine, level, precision_of(self.artifact), *why)

    @property
    def left_at(self) -> list[int] | None:
        """How many texts each early exit answered so far, and, last, the own head; None if no text may leave."""
        return None if self._leaving is None or self.engine != "native" else list(self._leaving.answered)

    def run_all_layers(self, windowed: bool = True) -> None:
        """Let no text leave early from now on, if texts are `windowed`: windows would leave apart from each other."""
        if windowed and self.exits is not None:
            self.exits = None
            self._open_nothing()

    @property
    def _opened(self) -> Any:
        """One of the engines that are open under these settings; None if there is none."""
        return next((engine for key, engine in list(self._engines.items()) if key[0] == self.engine), None)

    @property
    def pack_tokens(self) -> int | None:
        return self.settings.pack_tokens

    def with_settings(self, settings: RuntimeSettings) -> Self:
        """The same model with other settings; if both use the same graph, it is loaded once."""
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__
        tell_of_forks(other)
        other._given = self._given | {"settings": settings}
        other.settings, other.tuning, other._chose_engine, other._why = settings, None, False, GIVEN
        other.__dict__.pop("_workers", None)
        return other

    def packs(self, rows: Sequence[np.ndarray]) -> list[Lines]:
        """Row numbers of each pack."""
        if self.exact or len(rows) < 2:
            return [[[index]] for index in range(len(rows))]
        return self._shared.cut(rows, self.pack_tokens)

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32; with logits per token `[all tokens, outputs]`.

        Raises `DataError` for a row that the model cannot read (`batching.check_rows`), `ArtifactError` if the model
        cannot be run or its output is not finite, and `LeanformerError` if memory runs out.
        """
        known = self.limits
        check_rows(rows, vocabulary=known.vocabulary, positions=known.positions, types=known.types)
        try:
            values = self._by_engine(rows)
        except MemoryError as error:
            raise LeanformerError(
                f"{self.artifact.path}: {str(error) or 'not enough memory'}, with {len(rows):,} texts or windows of "
                f"{sum(map(len, rows)):,} tokens\n  remedy: give fewer texts at a time, or make memory free"
            ) from error
        if (place := first_not_finite(values)) is not None:
            raise ArtifactError(
                f"{self.artifact.path}: its answers are not finite ({values[place]} in row {place[0] + 1}), though its "
                f"weights are{AGAIN}"
            )
        return values

    def _by_engine(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """`infer` with the engine of the settings, or with the default engine if that one does not run here."""
        try:
            return self._infer(rows)
        except (ArtifactError, MissingExtraError) as error:
            self._give_way(error)
            return self._infer(rows)

    def _give_way(self, error: LeanformerError) -> None:
        """Change to the default engine after one that does not run here; raise the error if the caller wanted that."""
        problem, _, remedy = str(error).partition("\n  remedy: ")
        problem = problem.partition("\n")[0]
        if self.tuning is not None:
            # The engine ran here when it was tuned; something that no version number shows has changed since.
            warnings.warn(
                f"{self.tuning.path}: its engine does not run here any more, the default is used ({error})\n"
                "  remedy: tune again (leanformer tune)",
                stacklevel=3,
            )
            self._why = Why(f"the tuned engine does not run here any more: {problem}", "leanformer tune")
        elif not self._chose_engine or self.engine == DEFAULT_ENGINE:
            raise error
        elif isinstance(error, MissingExtraError):
            warnings.warn(f"{self.artifact.path}: ONNX Runtime is used, which is slower ({error})", stacklevel=3)
            self._why = Why(problem, remedy)
        else:
            self._why = Why(problem.removeprefix(f"{self.artifact.file(GRAPH)}: "))
        self.tuning, self.settings = None, default_settings(self.threads)
        self.__dict__.pop("_workers", None)

    def _infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        windowed = form_of(self.artifact.task).windowed
        starts = None if windowed is None else np.cumsum([0, *(len(row) for row in rows)])
        result = np.empty(
            (len(rows) if starts is None else int(starts[-1]), self.artifact.task.outputs), dtype=np.float32
        )
        packs = self.packs(rows)

        def run(engine: Engine, lines: Lines) -> None:
            places, values = result_rows(lines, starts), engine.run(rows, lines)
            if values.shape != (len(places), result.shape[1]) or values.dtype.kind != "f":
                raise ArtifactError(
                    f"{self.artifact.path}: its graph gives {list(values.shape)} of {values.dtype} where the manifest "
                    f"has {[len(places), result.shape[1]]}{AGAIN}"
                )
            result[places] = values

        if self.settings.workers > 1 and len(packs) > 1:
            # Longest first, so that the largest pack does not run last, on one worker alone.
            self._workers.map(lambda lines: run(self._worker_engine, lines), packs)
        else:
            engine = self._shared if len(packs) > 1 and not self.exact else self._lone
            for lines in packs:
                run(engine, lines)
        return result

    @property
    def _lone(self) -> Engine:
        """Engine for a single pack; with one thread if answers must be exact or the other cores are busy."""
        threads = self.settings.lone_threads
        if self.exact or (threads > 1 and not self._free(threads)):
            threads = 1
        return self._open(threads)

    def rouse(self) -> None:
        """Announce that a single row is coming: its engine may wake its threads while the text is tokenized."""
        if self.settings.lone_threads > 1 and self.engine == "native" and self._engines:
            wake = getattr(self._lone, "rouse", None)
            if wake is not None:
                wake()

    @property
    def _shared(self) -> Engine:
        """Engine for one of several packs, on a thread that is not a worker."""
        return self._open(1 if self.exact else self.settings.worker_threads)

    @property
    def _worker_engine(self) -> Engine:
        """Engine for one of several packs, on a worker. Single-threaded workers share one; others have one each."""
        threads = 1 if self.exact else self.settings.worker_threads
        return self._open(threads, 0 if threads == 1 else self._workers.number)

    def _open(self, threads: int, number: int = 0) -> Engine:
        # Several workers make single-threaded calls at the same time.
        key = (self.engine, threads, self.settings.workers if threads == 1 else 1, number)
        with self._lock:
            if key not in self._engines:
                self._engines[key] = self._load(threads, key[2])
            return self._engines[key]

    def _load(self, threads: int, streams: int) -> Engine:
        path, padding_id = self.artifact.file(GRAPH), int(self.artifact.properties["padding_id"])
        if self.engine == "openvino":
            from leanformer.runtime.engines.openvino_engine import OpenVinoEngine

            return OpenVinoEngine(path, threads, streams=streams)
        if self.engine == "native":
            from leanformer.runtime.engines.native_engine import NativeEngine

            # The weights are loaded once, whatever the number of threads.
            made = next((engine for engine in self._engines.values() if isinstance(engine, NativeEngine)), None)
            if made is not None:
                return made.together(threads)
            engine = NativeEngine(path, self.artifact.properties, threads, leaving=self._leaving)
            if engine.level == GENERIC and self._chose_engine and self.tuning is None:
                raise ArtifactError(f"{path}: this CPU has no vectors that the engine native is fast with")
            return engine
        return OnnxEngine(path, threads, padding_id=padding_id)

    @cached_property
    def _free(self) -> FreeCores:
        return FreeCores()

    @cached_property
    def _workers(self) -> WorkerThreads:
        pinned = self.settings.pinned and self.engine in PINNABLE
        return WorkerThreads(
            self.settings.workers, places(self.settings.workers, self.settings.worker_threads) if pinned else None
        )
