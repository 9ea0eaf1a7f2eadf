"""Candidates of `leanformer tune`: settings of the light runtime, the simplest first."""

from __future__ import annotations

from dataclasses import replace

from leanformer.runtime.cores import physical_cores, places
from leanformer.runtime.predictor import ENGINES, PINNABLE
from leanformer.runtime.settings import DEFAULT_ENGINE, RuntimeSettings, default_settings

PACK_TOKENS = (None, 128, 256, 64, 512, 1024, 2048)


def candidates(goal: str, cores: int, engine: str = DEFAULT_ENGINE) -> list[RuntimeSettings]:
    """All settings worth trying with this number of cores: the default, the other engines, then ever larger changes.

    For latency: engines and threads on one text. For throughput: engines, ways to divide the cores between workers and
    their threads, pack sizes, and pinning where it does no harm.
    """
    default = default_settings(cores, engine)
    physical = min(cores, len(physical_cores()))
    found = []
    if goal == "latency":
        threads = {1, physical, cores} | {2**i for i in range(cores.bit_length()) if 2**i <= cores}
        found = [
            replace(default, engine=engine, lone_threads=thread) for engine in ENGINES for thread in sorted(threads)
        ]
    else:
        splits = {(cores, 1), (physical, 1), (1, cores), (1, 1)}
        splits |= {(cores // 2, 2)} if cores >= 4 else set()
        for engine in ENGINES:
            for workers, threads_each in sorted(splits, reverse=True):
                pinnable = engine in PINNABLE and places(workers, threads_each) is not None
                found += [
                    replace(
                        default, engine=engine, workers=workers, worker_threads=threads_each, pack_tokens=tokens,
                        pinned=pinned,
                    )
                    for tokens in PACK_TOKENS
                    for pinned in ((False, True) if pinnable else (False,))
                ]  # fmt: skip
    return sorted(found, key=lambda settings: _departures(settings, default))


def _departures(settings: RuntimeSettings, default: RuntimeSettings) -> int:
    shared = (settings.workers, settings.worker_threads) != (default.workers, default.worker_threads)
    others = (settings.lone_threads != default.lone_threads, settings.pack_tokens != default.pack_tokens)
    return shared + sum(others) + 2 * settings.pinned  # the least important change
