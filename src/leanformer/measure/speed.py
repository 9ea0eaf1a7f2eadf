"""Latency and throughput of several predictors on the same texts, taken in turn so that drift falls on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.predictor import Predictor, chunked, logits_by_chunk
from leanformer.progress import Status
from leanformer.report import LATENCY_PERCENTS
from leanformer.task import Text

# Worker threads of one library may still spin for a moment after its last call; let them come to rest.
_SETTLE_SECONDS = 0.25


@dataclass(frozen=True)
class Speed:
    """Times of one predictor; see `report.Rung` for what each means."""

    latency_ms_p50: float
    latency_ms_p95: float
    latency_ms_p99: float
    latency_n: int
    tokenizer_ms_p50: float
    throughput_per_second: float
    throughput_median: float
    inference_per_second: float
    throughput_n: int
    latency_ms_quantiles: tuple[float, ...]
    cpu_seconds_per_1000: float


@dataclass(frozen=True)
class SpeedSettings:
    """How long to measure.

    Attributes:
        rounds: turns that each predictor takes.
        latency_texts: texts timed one at a time, over all rounds.
        seconds: wall-clock seconds that one turn's throughput run may take; a predictor too slow for all texts
            in that time is timed on a seeded sample of them.
    """

    rounds: int = 3
    latency_texts: int = 300
    seconds: float = 8.0


def measure_speed(
    predictors: Sequence[Predictor],
    texts: Sequence[Text],
    settings: SpeedSettings,
    *,
    seed: int = 13,
    say: Callable[[str], None] = lambda line: None,
) -> list[Speed]:
    """Measure all predictors on `texts`, tokenizer included, after a warm-up of each in each round."""
    order = np.random.default_rng(seed).permutation(len(texts))
    singles = [texts[order[i % len(order)]] for i in range(settings.latency_texts)]
    samples = [sample(predictor, [texts[i] for i in order], settings.seconds) for predictor in predictors]
    whole: list[list[float]] = [[] for _ in predictors]
    tokenizing: list[list[float]] = [[] for _ in predictors]
    rates: list[list[float]] = [[] for _ in predictors]
    inference: list[list[float]] = [[] for _ in predictors]
    busy = [0.0 for _ in predictors]
    for turn in range(settings.rounds):
        for index, predictor in enumerate(predictors):
            time.sleep(_SETTLE_SECONDS)
            for text in singles[:5]:
                predictor.infer(predictor.tokenize([text]))
            for text in singles[turn :: settings.rounds]:
                start = time.perf_counter()
                rows = predictor.tokenize([text])
                middle = time.perf_counter()
                predictor.infer(rows)
                whole[index].append(time.perf_counter() - start)
                tokenizing[index].append(middle - start)
            predictor.infer(predictor.tokenize(samples[index][:64]))
            seconds, inferring, cpu = _throughput(predictor, samples[index])
            busy[index] += cpu
            rates[index].append(len(samples[index]) / seconds)
            inference[index].append(len(samples[index]) / inferring)
        say(Status(f"timing: round {turn + 1} of {settings.rounds}"))
    return [
        _summary(whole[i], tokenizing[i], rates[i], inference[i], len(samples[i]), busy[i])
        for i in range(len(predictors))
    ]


def _throughput(predictor: Predictor, texts: Sequence[Text]) -> tuple[float, float, float]:
    """Seconds for all texts, seconds for their inference alone, and CPU-seconds for all of it.

    A predictor that tokenizes beside inference does both at once, as it would for its users; its inference is then
    timed by itself once more.
    """
    beside = hasattr(predictor, "stream")
    cpu, start = time.process_time(), time.perf_counter()
    for _ in logits_by_chunk(predictor, chunked(texts)) if beside else ():
        pass
    streamed, streamed_cpu = time.perf_counter(), time.process_time()
    rows = predictor.tokenize(texts)
    middle = time.perf_counter()
    predictor.infer(rows)
    end = time.perf_counter()
    if beside:
        return streamed - start, end - middle, streamed_cpu - cpu
    return end - start, end - middle, time.process_time() - cpu


def _summary(
    seconds: list[float],
    tokenizing: list[float],
    rates: list[float],
    inference: list[float],
    texts: int,
    busy: float,
) -> Speed:
    p50, p95, p99 = (float(value) for value in np.percentile(np.array(seconds) * 1000, [50, 95, 99]))
    return Speed(
        latency_ms_p50=p50,
        latency_ms_p95=p95,
        latency_ms_p99=p99,
        latency_n=len(seconds),
        tokenizer_ms_p50=float(np.median(tokenizing) * 1000),
        throughput_per_second=max(rates),
        throughput_median=float(np.median(rates)),
        inference_per_second=max(inference),
        throughput_n=texts,
        latency_ms_quantiles=tuple(float(one) for one in np.percentile(np.array(seconds) * 1000, LATENCY_PERCENTS)),
        cpu_seconds_per_1000=1000 * busy / (texts * len(rates)),
    )


def sample(predictor: Predictor, texts: list[Text], seconds: float) -> list[Text]:
    """As many of the (shuffled) texts as the predictor scores in about `seconds`, at least 64."""
    trial = texts[:64]
    predictor.infer(predictor.tokenize(trial))
    start = time.perf_counter()
    predictor.infer(predictor.tokenize(trial))
    rate = len(trial) / (time.perf_counter() - start)
    return texts[: max(64, int(rate * seconds))]
