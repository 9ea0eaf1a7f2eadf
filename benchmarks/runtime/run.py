"""How fast texts become labels, ours beside what people run, with the same weights: benchmarks/results/runtime.json.

    python -m benchmarks.runtime.run [--texts 1024] [--rounds 7] [--seconds 1.5] [--teacher FOLDER] [--only WORK]
    python -m benchmarks.runtime.run --encoder FOLDER --output benchmarks/results/runtime_mpnet.json

The teacher of benchmarks/ladders/run.py (MiniLM-L6) on SST-2's test texts, and on long texts cut to 512 tokens. All get
the same texts (whoever is too slow for all of them gets the first ones) and threads, in turn within one run, tokenizer
included; `ours` and `peer` are medians over the rounds, with quartiles beside them. What else belongs to the run
(machine, versions, every way of every peer, quality, what was left out and why) is in runtime_details.json beside it,
and the picture in runtime.svg. With `--only` the rows of other works stay as they were. With `--encoder` it is another
encoder with a head of random weights, so its quality is not measured. `peak_share` is of the fp32 peak of a matrix
product on this machine (`measure.machine_peak`); 8 bits may exceed it.

"ours (tuned best)" is the engine that was fastest on training texts, chosen before anything that is shown was timed.
Each peer is chosen in the same way: of all ways that benchmarks/peers/runners.py has, the fastest on training texts
(`peer_way`). Before each of its turns our word cache forgets all words and reads training texts; `ours_warm` is the
rate with the words of the timed texts in the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.ladders.run import open_named, teacher_of
from benchmarks.paths import RESULTS
from benchmarks.peers.contest import best_ways, under_the_name, way_of
from benchmarks.peers.runners import Peers, prepare
from benchmarks.provenance import provenance, watch
from benchmarks.runtime.interleaved import Runner, in_turn, row
from benchmarks.runtime.our_engines import graphs_of, level_and_share, running, untrained
from benchmarks.runtime.rows import (
    AS_THEY_COME,
    LONG,
    LONG_TOKENS,
    QUALITY,
    SINGLE,
    SORTED,
    TUNED,
    WORKERS,
    WORKS,
    beside,
    judged,
    merged,
)
from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.reading.readers import read_rows
from leanformer.files import write_json
from leanformer.measure.machine_peak import measure_peak
from leanformer.metrics.paired import compare, loss_interval
from leanformer.predictor import logits
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.predictor import LightPredictor

# Texts of the training split on which the tuned engine is chosen.
TRIAL_TEXTS, RACE_ROUNDS = 256, 3
# As short as they are, the calls are many: fewer texts are enough where they come one by one.
SINGLE_TEXTS, TRIAL_SINGLE = 200, 64
METHODS = ("mixed", "per_token")


@dataclass
class Side:
    """What is measured: our engines on one machine, and everybody's peers.

    Attributes:
        candidates: int8 artifacts, the preferred one first.
        before: training texts, which ours has read before each turn, and on which everybody's way is chosen.
        left_out: name -> why it was not measured.
        ways: every way of every peer at every work, see `contest.best_ways`.
        peak_flops: what a matrix product in fp32 reaches here with all cores, in operations per second.
    """

    candidates: list[Artifact]
    peers: Peers
    threads: int
    rounds: int
    seconds: float
    before: Sequence[str]
    left_out: dict[str, str] = field(default_factory=dict)
    ways: list[dict[str, Any]] = field(default_factory=list)
    peak_flops: float = field(default_factory=lambda: measure_peak().flops_per_second)

    def engines(self, limit: int | None, threads: int | None) -> tuple[dict[str, LightPredictor], dict[str, str]]:
        found = [candidate if limit is None else replace(candidate, max_tokens=limit) for candidate in self.candidates]
        return running(found, threads=threads or self.threads)

    def ours(self, *, limit: int | None = None, threads: int | None = None) -> list[Runner]:
        engines, reasons = self.engines(limit, threads)
        self.left_out |= {ours_name(engine): reason for engine, reason in reasons.items()}
        return [ours(ours_name(engine), predictor, self.before) for engine, predictor in engines.items()]

    def timed(
        self,
        work: str,
        ways: Mapping[str, Sequence[Runner]],
        trial: Sequence[str],
        texts: Sequence[str],
        tuned: str,
        *,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """One row for each of ours beside each peer, and those of the tuned one once more under that name.

        Args:
            trial: training texts, on which the way of each peer is chosen.
        """
        print(f"== {work}: the ways of the peers on {len(trial)} training texts", flush=True)
        single = work == SINGLE
        chosen, found = best_ways(ways, trial, rounds=RACE_ROUNDS, seconds=0.5, one_at_a_time=single, say=print)
        self.ways += [{"work": work, **way} for way in found]
        mine, peers, begun = self.ours(limit=limit), under_the_name(chosen), watch()
        print(f"== {work}: {len(texts)} texts", flush=True)
        rates = in_turn(
            [*mine, *peers], texts, rounds=self.rounds, seconds=self.seconds, one_at_a_time=single, say=print
        )
        about = provenance(since=begun)
        told = {
            ours_name(engine): {"engine": engine} | level_and_share(
                predictor, texts, median(rates[ours_name(engine)].per_second), self.peak_flops
            )
            for engine, predictor in self.engines(limit, None)[0].items()
        }  # fmt: skip
        rows = [
            row(work, runner.name, peer, rates) | {"peer_way": way_of(chosen[peer], peer), **told[runner.name], **about}
            for runner in mine
            for peer in chosen
        ]
        return with_tuned(rows, tuned)


def ours_name(engine: str) -> str:
    return f"leanformer int8, {engine}"


def ours(name: str, predictor: LightPredictor, before: Sequence[str] = ()) -> Runner:
    """Ours, which before each turn forgets the words that it knows and reads the texts `before`."""

    def renew() -> None:
        predictor.forget_words()
        predictor.tokenize(before)

    def run(texts: Sequence[str]) -> np.ndarray:
        return logits(predictor, texts).argmax(axis=1)

    return Runner(name, run, predictor.tokenize, ours=True, renew=renew)


def with_tuned(rows: list[dict[str, Any]], tuned: str) -> list[dict[str, Any]]:
    """The rows, and again those of the runner named `tuned`, as what a user gets who has tuned."""
    chosen = [entry for entry in rows if entry["ours_name"] == tuned]
    return rows + [entry | {"ours_name": TUNED, "engine": tuned.rpartition(", ")[2]} for entry in chosen]


def fastest(side: Side, texts: Sequence[str], *, one_at_a_time: bool = False) -> str:
    """The name of the engine with the most texts per second on texts that are not those shown."""
    rates = in_turn(side.ours(), texts, rounds=RACE_ROUNDS, seconds=1.0, one_at_a_time=one_at_a_time)
    return max(rates, key=lambda name: median(rates[name].per_second))


@contextmanager
def one_tokenizer_thread() -> Iterator[None]:
    """`tokenizers` reads this at every call."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        yield
    finally:
        os.environ.pop("TOKENIZERS_PARALLELISM")
        if before is not None:
            os.environ["TOKENIZERS_PARALLELISM"] = before


def alone(runner: Runner) -> Runner:
    """One worker: one thread in the tokenizer too."""

    def run(texts: Sequence[str]) -> np.ndarray:
        with one_tokenizer_thread():
            return runner.run(texts)

    return replace(runner, name=f"one worker of {runner.name}", run=run, tokenize=None)


def workers(side: Side, texts: Sequence[str], tuned: str) -> list[dict[str, Any]]:
    """Each engine with all its workers over itself with one."""
    print(f"== {WORKERS}: {len(texts)} texts", flush=True)
    many, single, begun = side.ours(), [alone(runner) for runner in side.ours(threads=1)], watch()
    rates = in_turn([*many, *single], texts, rounds=side.rounds, seconds=side.seconds, say=print)
    pairs = zip(many, single, strict=True)
    about = {"peer_ours": True, **provenance(since=begun)}
    return with_tuned([row(WORKERS, a.name, b.name, rates) | about for a, b in pairs], tuned)


def quality(
    side: Side, fp32: Artifact, data: Dataset, tuned: str
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Accuracy on dev of everyone beside fp32 of the same model, with the bootstrap interval of the loss."""
    assert data.dev is not None
    labels = np.asarray(data.dev.labels)
    engines, reasons = running([fp32], threads=side.threads)
    side.left_out |= {f"leanformer fp32, {engine}": reason for engine, reason in reasons.items()}
    runners = [ours(f"leanformer fp32, {engine}", predictor) for engine, predictor in engines.items()] + side.ours()
    reference = runners[0].run(data.dev.texts)
    rows, everyone = [], {}
    for runner in [*runners, *side.peers.for_quality()]:
        counts = compare(runner.run(data.dev.texts), reference, labels)
        low, high = loss_interval(counts)
        right = float((reference == labels).mean())
        everyone[runner.name] = {
            "accuracy": right - counts.loss, "lost_points": 100 * counts.loss, "lost_low": 100 * low,
            "lost_high": 100 * high, "changed": counts.changed, "n": counts.n,
        }  # fmt: skip
        if runner.ours and runner.name != runners[0].name:
            rows.append(
                {
                    "work": QUALITY, "ours": 100 * (right - counts.loss), "ours_name": runner.name, "peer": 100 * right,
                    "peer_name": "fp32 of the same model", "unit": "per cent right", "ratio": 1 - counts.loss / right,
                    **{name: everyone[runner.name][name] for name in ("lost_points", "lost_low", "lost_high", "n")},
                    **provenance(),
                }
            )  # fmt: skip
        print(f"{runner.name}: {100 * (right - counts.loss):.2f} %", flush=True)
    return with_tuned(rows, tuned), everyone


def long_texts(name: str, count: int, split: str, seed: int = 13) -> list[str]:
    """Texts of a split of a data set, drawn by seed: the file may be ordered by class."""
    rows = [row.text for row in read_rows(Path(os.environ["LEANFORMER_DATA"]) / name / f"{split}.jsonl")]
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))[:count]]


class Stored:
    """The result files, which have each work as soon as it is measured; what is not measured now stays as it was."""

    def __init__(self, arguments: argparse.Namespace, side: Side, about: dict[str, Any]) -> None:
        self.arguments, self.side, self.about, self.began = arguments, side, about, time.monotonic()
        self.path = arguments.output
        self.details = self.path.with_stem(f"{self.path.stem}_details")
        self.rows: list[dict[str, Any]] = json.loads(self.path.read_text("utf-8")) if self.path.is_file() else []
        self.kept: dict[str, Any] = json.loads(self.details.read_text("utf-8")) if self.details.is_file() else {}
        self.works: list[str] = []

    def add(self, work: str, rows: list[dict[str, Any]], quality: dict[str, Any] | None = None) -> None:
        self.works.append(work)
        self.rows = merged(self.rows, rows)
        if not self.arguments.encoder:  # the floors are promised of the teacher
            self.rows = judged(self.rows, self.side.threads)
        write_json(self.path, self.rows)
        self.kept |= {
            "quality": quality or self.kept.get("quality", {}), "left_out": self.side.left_out, "works": self.works,
            "ways": [way for way in self.kept.get("ways", []) if way["work"] not in self.works] + self.side.ways,
            "seconds": time.monotonic() - self.began, "long_texts": self.arguments.long_texts,
            "rounds": self.arguments.rounds, **self.about, **provenance(self.side.threads),
        }  # fmt: skip
        write_json(self.details, self.kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1024, help="how many of SST-2's test texts, drawn by seed")
    parser.add_argument("--trial-texts", type=int, default=TRIAL_TEXTS, help="training texts that ways are chosen on")
    parser.add_argument("--long-texts", type=int, default=24, help="how many of each set of long texts")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="what one turn may take")
    parser.add_argument("--only", action="append", choices=WORKS, help="these kinds of work alone")
    parser.add_argument("--teacher", type=Path, help="an encoder artifact to use instead of the ladder's")
    parser.add_argument("--encoder", type=Path, help="a checkpoint of another encoder, which gets a random head")
    parser.add_argument("--output", type=Path, default=RESULTS / "runtime.json")
    arguments = parser.parse_args()
    works = arguments.only or [work for work in WORKS if not arguments.encoder or work != QUALITY]
    threads = allowed_cores()
    torch.set_num_threads(threads)
    data = open_named("sst2")
    assert data.train is not None and data.test is not None
    generator = np.random.default_rng(13)
    texts = [data.test.texts[i] for i in generator.permutation(len(data.test))[: arguments.texts]]
    trial = [data.train.texts[i] for i in generator.permutation(len(data.train))[: arguments.trial_texts]]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        loose: dict[str, Any] = {}
        if arguments.encoder:
            # Logits of a random head lie near each other, so that some labels change in 8 bits; they mean nothing.
            teacher = untrained(arguments.encoder, data, scratch / "encoder")
            loose = {"max_flips": 1.0, "max_mean_share": 1.0}
        else:
            teacher = open_artifact(arguments.teacher) if arguments.teacher else teacher_of("sst2", data)
        graphs = graphs_of(teacher, data, scratch, METHODS, threads=threads, **loose)
        peers = prepare(teacher, scratch, LightPredictor(graphs["fp32"]).tokenize(trial), threads)
        side = Side(
            [graphs[method] for method in METHODS], peers, threads, arguments.rounds, arguments.seconds,
            trial, dict(peers.left_out),
        )  # fmt: skip
        tuned, tuned_single = fastest(side, trial), fastest(side, trial[:TRIAL_SINGLE], one_at_a_time=True)
        stored = Stored(arguments, side, {"texts": len(texts), "peer_versions": peers.versions()})
        if AS_THEY_COME in works:
            stored.add(AS_THEY_COME, side.timed(AS_THEY_COME, peers.as_they_come(), trial, texts, tuned))
        if SORTED in works:
            stored.add(SORTED, side.timed(SORTED, peers.by_length(), trial, texts, tuned))
        if SINGLE in works:
            few = trial[: min(len(trial), TRIAL_SINGLE)]
            found = side.timed(SINGLE, peers.one_at_a_time(), few, texts[:SINGLE_TEXTS], tuned_single)
            stored.add(SINGLE, found)
        for dataset, work in LONG.items():
            if work in works:
                before, some = (long_texts(dataset, arguments.long_texts, split) for split in ("train", "test"))
                few = before[: max(1, len(before) // 2)]
                stored.add(work, side.timed(work, peers.long(LONG_TOKENS), few, some, tuned, limit=LONG_TOKENS))
        if WORKERS in works:
            stored.add(WORKERS, workers(side, texts, tuned))
        if QUALITY in works:
            stored.add(QUALITY, *quality(side, graphs["fp32"], data, tuned))
    rows = stored.rows
    for entry in rows:
        if entry["ours_name"] == TUNED:
            promised = f" (floor {entry['floor']:g}: {'met' if entry['met'] else 'MISSED'})" if "floor" in entry else ""
            print(f"{entry['work']}: {entry['ours']:.2f} beside {beside(entry)} {entry['peer']:.2f}: "
                  f"{entry['ratio']:.2f}x{promised}")  # fmt: skip
    for what, reason in side.left_out.items():
        print(f"left out: {what}: {reason}")


if __name__ == "__main__":
    main()
