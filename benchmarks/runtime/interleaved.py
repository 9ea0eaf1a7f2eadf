"""Several ways to label the same texts, timed in turn, so that drift of the machine falls on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

Texts = Sequence[str]
# Worker threads of one library may still spin for a moment after its last call; let them come to rest.
SETTLE_SECONDS = 0.25
# So many texts show how fast a runner is, and fewer than twice as many are not timed, however slow it is.
TRIAL = 32


@dataclass(frozen=True)
class Runner:
    """One way from texts to labels.

    Attributes:
        run: texts to class indices `[n]`, in their order.
        tokenize: its tokenizer alone; None where it cannot be had apart.
        ours: whether it is Leanformer's.
        renew: makes it a program that has read texts, but not those that it is asked: what it remembers of them is
            forgotten. None for one that remembers nothing.
    """

    name: str
    run: Callable[[Texts], np.ndarray]
    tokenize: Callable[[Texts], Any] | None = None
    ours: bool = False
    renew: Callable[[], None] | None = None


@dataclass(frozen=True)
class Rates:
    """What was measured of one runner, one value for each round.

    Attributes:
        texts: how many of the texts it was given, always the first ones; fewer where all would take too long.
        per_second: texts per second, tokenizer included; of one that remembers texts, with texts it has not seen.
        warm: the same with the words of these very texts in the cache; empty for one that remembers nothing.
        tokenizer_per_second: of its tokenizer alone; empty where that cannot be had apart.
        ms: median milliseconds of one call in each round, where texts were given one at a time; else empty.
        cpu_ms: CPU milliseconds a text over all threads, the tokenizer's and spinning ones included. Far less than the
            wall clock times the threads means that a core waited, or that others had it.
    """

    texts: int
    per_second: tuple[float, ...]
    tokenizer_per_second: tuple[float, ...] = ()
    ms: tuple[float, ...] = ()
    cpu_ms: tuple[float, ...] = ()
    warm: tuple[float, ...] = ()


def in_turn(
    runners: Sequence[Runner],
    texts: Texts,
    *,
    rounds: int,
    seconds: float,
    one_at_a_time: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Rates]:
    """Time every runner once in each round, in an order that turns round with every round.

    Before the first round each has seen all the texts that it will be timed on, so that graphs are optimised and shapes
    compiled. What a runner remembers of their words it forgets before each turn (`renew`); how fast it is with them is
    a second figure.

    Args:
        seconds: what one turn may take; who is slower is timed on fewer texts, never on other ones.
        one_at_a_time: a call for each text, as a service would get them, instead of one call for all.
    """
    counts = {runner.name: _affordable(runner, texts, seconds, one_at_a_time) for runner in runners}
    rates: dict[str, list[float]] = {runner.name: [] for runner in runners}
    tokenizer: dict[str, list[float]] = {runner.name: [] for runner in runners}
    ms: dict[str, list[float]] = {runner.name: [] for runner in runners}
    cpu_ms: dict[str, list[float]] = {runner.name: [] for runner in runners}
    warm: dict[str, list[float]] = {runner.name: [] for runner in runners}
    for turn in range(rounds):
        for runner in runners if turn % 2 == 0 else reversed(runners):
            sample = texts[: counts[runner.name]]
            time.sleep(SETTLE_SECONDS)
            runner.run(sample[:1])  # whoever comes after a rest pays for waking up, so let no one be timed doing it
            if runner.renew is not None:
                runner.renew()
            before = time.process_time()
            times = _times(runner.run, sample, one_at_a_time)
            cpu_ms[runner.name].append(1000 * (time.process_time() - before) / len(sample))
            rates[runner.name].append(len(sample) / sum(times))
            if one_at_a_time:
                ms[runner.name].append(1000 * median(times))
            if runner.tokenize is not None:
                if runner.renew is not None:
                    runner.renew()
                tokenizer[runner.name].append(len(sample) / sum(_times(runner.tokenize, sample, one_at_a_time)))
            if runner.renew is not None:
                runner.run(sample)  # a word is learnt when it comes a second time
                runner.run(sample)
                warm[runner.name].append(len(sample) / sum(_times(runner.run, sample, one_at_a_time)))
        say(f"round {turn + 1} of {rounds}: {', '.join(f'{name} {all_[-1]:.0f}/s' for name, all_ in rates.items())}")
    return {
        runner.name: Rates(
            texts=counts[runner.name],
            per_second=tuple(rates[runner.name]),
            tokenizer_per_second=tuple(tokenizer[runner.name]),
            ms=tuple(ms[runner.name]),
            cpu_ms=tuple(cpu_ms[runner.name]),
            warm=tuple(warm[runner.name]),
        )
        for runner in runners
    }


def _times(call: Callable[[Texts], Any], texts: Texts, one_at_a_time: bool) -> list[float]:
    """Seconds of each call."""
    times = []
    for part in [[text] for text in texts] if one_at_a_time else [texts]:
        start = time.perf_counter()
        call(part)
        times.append(time.perf_counter() - start)
    return times


def _affordable(one: Runner, texts: Texts, seconds: float, one_at_a_time: bool) -> int:
    """How many texts fit into `seconds`; the runner is warm for them afterwards."""
    few = texts[:TRIAL]
    _times(one.run, few, one_at_a_time)
    rate = len(few) / sum(_times(one.run, few, one_at_a_time))
    count = min(len(texts), max(2 * TRIAL, int(rate * seconds)))
    _times(one.run, texts[:count], one_at_a_time)
    return count


def quartiles(values: Sequence[float]) -> list[float]:
    """The quarter below which the lowest lie, and the one above which the highest do."""
    low, high = np.quantile(values, (0.25, 0.75))
    return [float(low), float(high)]


def row(work: str, ours: str, peer: str, rates: dict[str, Rates]) -> dict[str, Any]:
    """One of ours beside one peer: medians over the rounds, and the quartiles of the ratios of each round."""
    mine, theirs = rates[ours], rates[peer]
    ratios = [a / b for a, b in zip(mine.per_second, theirs.per_second, strict=True)]
    result: dict[str, Any] = {
        "work": work,
        "ours": median(mine.per_second),
        "ours_name": ours,
        "peer": median(theirs.per_second),
        "peer_name": peer,
        "unit": "texts per second",
        "ratio": median(mine.per_second) / median(theirs.per_second),
        "ratio_of_rounds": [min(ratios), max(ratios)],
        "ratio_quartiles": quartiles(ratios),
        "ours_quartiles": quartiles(mine.per_second),
        "peer_quartiles": quartiles(theirs.per_second),
        "ours_rounds": list(mine.per_second),
        "peer_rounds": list(theirs.per_second),
        "ours_texts": mine.texts,
        "peer_texts": theirs.texts,
    }
    for side, timed in (("ours", mine), ("peer", theirs)):
        if timed.tokenizer_per_second:
            result[f"{side}_tokenizer"] = median(timed.tokenizer_per_second)
        if timed.warm:
            result[f"{side}_warm"] = median(timed.warm)
        if timed.ms:
            result[f"{side}_ms_p50"] = median(timed.ms)
        result[f"{side}_cpu_ms"] = median(timed.cpu_ms)
    return result
