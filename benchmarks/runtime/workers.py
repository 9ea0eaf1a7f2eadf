"""Threads or processes, pinned or not, to spread packs over the cores: writes benchmarks/results/workers.json.

    python -m benchmarks.runtime.workers ARTIFACT [--engine onnxruntime] [--texts 1024] [--rounds 15]

All arrangements run the same packs of rows of token ids (lognormal around 25 tokens, 4 to 128), taken from one queue,
the longest first; each round has all of them in a new order. Thread workers share one graph; process workers each load
it, and get token ids and give logits over a pipe, as those of `leanformer serve` do. Pinned means to physical cores of
their own. The tokenizer takes no part. "speedup" is the median over rounds of the rate divided by that of one worker in
the same round, with the quartiles of these ratios. No arrangement can be more than as many times as fast as there are
cores: one that seems so ("beyond_cores") was measured beside something else, and counts for nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance, watch
from benchmarks.runtime.interleaved import quartiles
from benchmarks.runtime.memory import smallest_made
from leanformer.artifact import open_artifact
from leanformer.files import write_json
from leanformer.runtime.cores import allowed_cores, physical_cores, places
from leanformer.runtime.predictor import ENGINES, LightPredictor
from leanformer.runtime.settings import RuntimeSettings, default_settings


def rows_of(count: int, vocabulary: int, longest: int) -> list[np.ndarray]:
    """Rows of token ids whose lengths are spread as those of short texts are."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(np.log(22), 0.6, count), 4, min(128, longest)).astype(int)
    return [random.integers(0, vocabulary, length).astype(np.int32) for length in lengths]


def child(connection: Connection, folder: str, engine: str, place: list[int] | None) -> None:
    """A worker process: packs in, logits out, until None comes."""
    if place is not None:
        os.sched_setaffinity(0, place)
    predictor = LightPredictor(open_artifact(folder), threads=1, settings=RuntimeSettings(engine))
    while (rows := connection.recv()) is not None:
        connection.send(predictor.infer(rows))


class Processes:
    """`count` worker processes, and for each a thread here that hands it the next pack."""

    def __init__(self, folder: Path, engine: str, count: int, chosen: list[list[int]] | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.idle: SimpleQueue[Connection] = SimpleQueue()
        self.processes, self.ends = [], []
        for number in range(count):
            here, there = context.Pipe()
            place = None if chosen is None else chosen[number]
            self.processes.append(context.Process(target=child, args=(there, str(folder), engine, place), daemon=True))
            self.processes[-1].start()
            self.ends.append(here)
            self.idle.put(here)
        self.threads = ThreadPoolExecutor(count)

    def run(self, packs: list[list[np.ndarray]]) -> None:
        def give(rows: list[np.ndarray]) -> None:
            connection = self.idle.get()
            connection.send(rows)
            connection.recv()
            self.idle.put(connection)

        list(self.threads.map(give, packs))

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for end in self.ends:
            end.send(None)
        for process in self.processes:
            process.join(30)


def arrangement(name: str, rates: Sequence[float], alone: Sequence[float], cores: int) -> dict[str, Any]:
    """One row: `rates` and those of one worker, `alone`, are texts per second of the same rounds."""
    ratios = [rate / single for rate, single in zip(rates, alone, strict=True)]
    return {
        "name": name, "texts_per_second": statistics.median(rates), "spread": [min(rates), max(rates)],
        "speedup": statistics.median(ratios), "speedup_quartiles": quartiles(ratios),
        "beyond_cores": statistics.median(ratios) > cores,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path, nargs="?", help="of format onnx; default: the smallest of the ladder")
    parser.add_argument("--engine", choices=ENGINES, default="onnxruntime")
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, default=RESULTS / "workers.json")
    arguments = parser.parse_args()
    artifact, cores, engine = open_artifact(arguments.artifact or smallest_made()), allowed_cores(), arguments.engine
    base = LightPredictor(artifact, threads=cores, engine=engine, tuning=False)
    rows = rows_of(arguments.texts, base._tokenizer.vocabulary_size, artifact.max_tokens)
    # The same packs for all: what thread workers cut, process workers get ready cut.
    packs = [[rows[i] for line in lines for i in line] for lines in base._open(1).cut(rows)]
    spread = replace(default_settings(cores), engine=engine)
    groups = places(cores, 1)
    chosen = None if groups is None else [sorted(group) for group in groups]
    with ExitStack() as stack:
        settings = {
            "one worker": replace(spread, workers=1),
            f"{cores} thread workers": spread,
            "one worker, all threads": replace(spread, workers=1, worker_threads=cores),
        }
        if chosen is not None:
            settings[f"{cores} thread workers, pinned"] = replace(spread, pinned=True)
        runs: dict[str, Callable[[], object]] = {}
        for name, setting in settings.items():
            predictor = base.with_settings(setting)
            runs[name] = lambda predictor=predictor: predictor.infer(rows)
        for name, place in ((f"{cores} process workers", None), (f"{cores} process workers, pinned", chosen)):
            if "pinned" in name and place is None:
                continue
            workers = stack.enter_context(Processes(artifact.path, engine, cores, place))
            runs[name] = lambda workers=workers: workers.run(packs)
        rates: dict[str, list[float]] = {name: [] for name in runs}
        begun = watch()
        random = np.random.default_rng(0)
        names = list(runs)
        for turn in range(arguments.rounds + 1):
            for index in random.permutation(len(names)):
                start = time.perf_counter()
                runs[names[index]]()
                if turn:  # the first round warms all up
                    rates[names[index]].append(len(rows) / (time.perf_counter() - start))
    result = {
        "artifact": artifact.content_hash, "precision": artifact.properties.get("precision"), "engine": engine,
        "texts": len(rows), "tokens": sum(map(len, rows)), "packs": len(packs), "rounds": arguments.rounds,
        "physical_cores": [sorted(core) for core in physical_cores()], "places": chosen,
        "arrangements": [arrangement(name, each, rates["one worker"], cores) for name, each in rates.items()],
        **provenance(cores, begun),
    }  # fmt: skip
    write_json(arguments.output, result)
    for row in result["arrangements"]:
        low, high = row["speedup_quartiles"]
        noise = f"  beyond {cores} cores: noise, measure again" if row["beyond_cores"] else ""
        print(
            f"{row['name']:30} {row['texts_per_second']:8.0f} texts/s  {row['speedup']:.2f}x "
            f"({low:.2f} to {high:.2f}){noise}"
        )


if __name__ == "__main__":
    main()
