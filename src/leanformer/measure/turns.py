"""One predictor that is timed in turns: warmed up, its word cache as after other texts, one text at a time and many."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from leanformer.predictor import Predictor, chunked, logits_by_chunk
from leanformer.task import Text

# So many texts, and so many single ones, are answered before each turn.
_WARM_UP, _SINGLE = 64, 5
THROUGHPUT, LATENCY = "throughput", "latency"


@dataclass
class Figures:
    """Figures of one predictor, each by the number of the round (from 0) that it was taken in.

    Attributes:
        throughput: texts per second, tokenizer included, of texts that the word cache has not read.
        warm: the same when the word cache knows all words of the texts.
        inference: the same without the tokenizer.
        latency: median milliseconds of one text at a time, of texts that the word cache has not read.
    """

    throughput: dict[int, float] = field(default_factory=dict)
    warm: dict[int, float] = field(default_factory=dict)
    inference: dict[int, float] = field(default_factory=dict)
    latency: dict[int, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, dict[str, float]]:
        """As `report.Rung.rounds` has it: rounds are counted from 1."""
        return {
            name: {str(number + 1): value for number, value in getattr(self, name).items()}
            for name in ("throughput", "warm", "inference", "latency")
        }

    def by(self, goal: str) -> Mapping[int, float]:
        """Higher is better: texts per second, or one text's share of a millisecond."""
        if goal == THROUGHPUT:
            return self.throughput
        return {number: 1 / value for number, value in self.latency.items()}


class Timed:
    """A predictor on its texts.

    Args:
        sample: texts of a throughput run.
        singles: texts that are timed one at a time, over `turns` turns.
        others: what a word cache has read before a turn.

    Attributes:
        latencies, tokenizing: seconds of single texts, and the tokenizer's part of them, of all whole turns.
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
        """What the part of a turn that decides by `goal` took when it was last run, its warm-up included."""
        return self._seconds[goal]

    def turn(self, number: int, goal: str | None = None) -> None:
        """The turn in round `number`; of the part that decides by `goal` alone, where one is given."""
        start = self._clock()
        self._warm_up()
        warmed = self._clock()
        for part, run in ((LATENCY, self._time_singles), (THROUGHPUT, self._time_all)):
            if goal in (None, part):
                self._read_others()
                begun = self._clock()
                run(number, goal is None)
                # What only a whole turn measures is not needed again.
                spent = len(self.sample) / self.figures.throughput[number] if part == THROUGHPUT else 0.0
                self._seconds[part] = warmed - start + (spent or self._clock() - begun)
        self._taken += 1

    def _warm_up(self) -> None:
        """Engines compile, pools wake up; words that are learnt here are forgotten again."""
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
        """Texts that the cache has not read, and in a whole turn inference alone and texts that it knows.

        A predictor that tokenizes beside inference does both at once, as it would for its users; its inference is then
        timed by itself once more.
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
        # A word is learnt when it is met again.
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
