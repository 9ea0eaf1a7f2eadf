"""One predictor timed in turns: warmed up, with a word cache filled by other texts, on single texts and on many."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from leanformer.predictor import Predictor, chunked, logits_by_chunk
from leanformer.task import Text

# Number of texts in one batch, and of single texts, that are answered before each turn.
_WARM_UP, _SINGLE = 64, 5
THROUGHPUT, LATENCY = "throughput", "latency"


@dataclass
class Figures:
    """Figures of one predictor, each by the number of the round (from 0) in which it was measured.

    Attributes:
        throughput: texts per second, tokenizer included, for texts that the word cache has not read.
        warm: the same if the word cache knows all words of the texts.
        inference: the same without the tokenizer.
        latency: median milliseconds of a single text, for texts that the word cache has not read.
    """

    throughput: dict[int, float] = field(default_factory=dict)
    warm: dict[int, float] = field(default_factory=dict)
    inference: dict[int, float] = field(default_factory=dict)
    latency: dict[int, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, dict[str, float]]:
        """In the form of `report.Rung.rounds`: rounds are counted from 1."""
        return {
            name: {str(number + 1): value for number, value in getattr(self, name).items()}
            for name in ("throughput", "warm", "inference", "latency")
        }

    def by(self, goal: str) -> Mapping[int, float]:
        """Figures where higher is better: texts per second, or 1 / latency in milliseconds."""
        if goal == THROUGHPUT:
            return self.throughput
        return {number: 1 / value for number, value in self.latency.items()}


class Timed:
    """A predictor to be timed on its texts.

    Args:
        sample: texts of a throughput run.
        singles: texts that are timed one at a time, over `turns` turns.
        others: texts that the word cache reads before a turn.

    Attributes:
        latencies, tokenizing: seconds of single texts, and the tokenizer's part of them, of all complete turns.
        cpu: processor seconds of the throughput runs on texts that the word cache has not read.
    """

    def __init__(
        self,
        predictor: Predictor,
        sample: Sequence[Text],
        singles: Sequence[Text],
        others: Sequence[Text],
        *,
        turns: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.sample, self.figures, self.cpu = sample, Figures(), 0.0
        self.latencies: list[float] = []
        self.tokenizing: list[float] = []
        self._predictor, self._singles, self._others = predictor, singles, others
        self._turns, self._clock, self._taken = turns, clock, 0
        self._seconds = {THROUGHPUT: 0.0, LATENCY: 0.0}

    def seconds(self, goal: str) -> float:
        """Duration of the last run of the part of a turn that decides by `goal`, with its warm-up."""
        return self._seconds[goal]

    def turn(self, number: int, goal: str | None = None) -> None:
        """Run the turn of round `number`; if `goal` is given, only the part that decides by it."""
        start = self._clock()
        self._warm_up()
        warmed = self._clock()
        for part, run in ((LATENCY, self._time_singles), (THROUGHPUT, self._time_all)):
            if goal in (None, part):
                self._read_others()
                begun = self._clock()
                run(number, goal is None)
                # The measurements of complete turns only are not repeated.
                spent = len(self.sample) / self.figures.throughput[number] if part == THROUGHPUT else 0.0
                self._seconds[part] = warmed - start + (spent or self._clock() - begun)
        self._taken += 1

    def _warm_up(self) -> None:
        """Let engines compile and pools wake up; words cached here are forgotten again."""
        predictor, texts = self._predictor, self._others or self.sample
        predictor.infer(predictor.tokenize(texts[:_WARM_UP]))
        for text in texts[:_SINGLE]:
            predictor.infer(predictor.tokenize([text]))

    def _read_others(self) -> None:
        forget = getattr(self._predictor, "forget_words", None)
        if forget is not None:
            forget()
            if self._others:
                self._predictor.tokenize(self._others)

    def _time_singles(self, number: int, whole: bool) -> None:
        predictor, times = self._predictor, []
        for text in self._singles[self._taken % self._turns :: self._turns]:
            start = self._clock()
            rows = predictor.tokenize([text])
            middle = self._clock()
            predictor.infer(rows)
            times.append(self._clock() - start)
            if whole:
                self.tokenizing.append(middle - start)
        self.figures.latency[number] = 1000 * float(np.median(times))
        if whole:
            self.latencies += times

    def _time_all(self, number: int, whole: bool) -> None:
        """Time texts that the cache has not read and, in a complete turn, inference alone and texts that it knows.

        A predictor that tokenizes during inference does both at once, as it would for its users; its inference alone is
        then timed separately.
        """
        predictor, count = self._predictor, len(self.sample)
        beside = hasattr(predictor, "stream")
        cpu, start = time.process_time(), self._clock()
        rows: Sequence[np.ndarray] = []
        if not beside:
            rows = predictor.tokenize(self.sample)
        middle = self._clock()
        if beside:
            self._stream()
        else:
            predictor.infer(rows)
        end = self._clock()
        self.cpu += time.process_time() - cpu
        self.figures.throughput[number] = count / (end - start)
        if not whole:
            return
        # A word is cached when it is seen for the second time.
        rows = predictor.tokenize(self.sample)
        if beside:
            middle = self._clock()
            predictor.infer(rows)
            end = self._clock()
        self.figures.inference[number] = count / (end - middle)
        again = self._clock()
        if beside:
            self._stream()
            self.figures.warm[number] = count / (self._clock() - again)
        else:
            predictor.tokenize(self.sample)
            self.figures.warm[number] = count / (self._clock() - again + end - middle)

    def _stream(self) -> None:
        for _ in logits_by_chunk(self._predictor, chunked(self.sample)):
            pass
