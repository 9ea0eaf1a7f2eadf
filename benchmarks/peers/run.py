"""A teacher as people run it, each in its best way, beside what we make of it: results/<data set>/peers.json.

    python -m benchmarks.peers.run sst2 [ARTIFACT ...] [--texts 1024] [--rounds 7] [--seconds 1.5]

All get the same test texts and threads, in turn, tokenizer included, many at once and one at a time. The peers and
their ways are those of benchmarks/peers/runners.py, and PyTorch and ONNX Runtime in fp32; the way that stands for a
peer is the fastest on training texts, and all ways are stored under "ways". Ours are the artifacts that are named, or
every graph that benchmarks/ladders/run.py made of this data set; they are not the same model, so the quality of each
stands beside. Before each turn our word cache forgets all words and reads training texts.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.ladders.run import open_named, teacher_of
from benchmarks.paths import RESULTS, WORK
from benchmarks.peers.contest import best_ways, under_the_name, way_of
from benchmarks.peers.padded import OnnxRuntime, SideBySide, Transformers
from benchmarks.peers.runners import MANY, Peers, Way, prepare
from benchmarks.provenance import provenance, watch
from benchmarks.runtime.interleaved import Runner, in_turn, row
from benchmarks.runtime.rows import AS_THEY_COME, SINGLE, beside
from leanformer.artifact import Artifact, open_artifact
from leanformer.files import write_json
from leanformer.loading import open_predictor
from leanformer.predictor import Predictor, logits
from leanformer.runtime.cores import allowed_cores
from leanformer.tokenizer import Tokenizer

TRIAL_TEXTS, TRIAL_SINGLE, SINGLE_TEXTS, RACE_ROUNDS = 256, 64, 200, 3


def in_fp32(teacher: Artifact, scratch: Path, threads: int) -> list[Way]:
    """PyTorch, and the traced graph in ONNX Runtime, of what `prepare` wrote in `scratch`."""
    stock = (scratch / "stock", teacher.task, teacher.max_tokens, MANY[0])

    def session(count: int) -> OnnxRuntime:
        return OnnxRuntime(*stock, scratch / "traced.onnx", count)

    name = "ONNX Runtime fp32"
    ways = [
        Way("PyTorch fp32", "", "PyTorch fp32", lambda: Transformers(*stock)),
        Way(name, f"one session of {threads} threads", name, lambda: session(threads)),
    ]
    if threads > 1:
        several = f"{threads} sessions of one thread"
        ways.append(Way(name, several, name, lambda: SideBySide([session(1) for _ in range(threads)])))
    return ways


def step_names(paths: Sequence[Path]) -> list[str]:
    """The steps' names without their hash, with it where two recipes gave a step the same name: rates go by name."""
    short = [path.name.rsplit("-", 1)[0] for path in paths]
    return [name if short.count(name) == 1 else path.name for name, path in zip(short, paths, strict=True)]


def ours(name: str, predictor: Predictor, before: Sequence[str]) -> Runner:
    """Ours, which before each turn forgets the words that it knows and reads the texts `before`."""
    forget = getattr(predictor, "forget_words", None)

    def renew() -> None:
        if forget is not None:
            forget()
            predictor.tokenize(before)

    return Runner(
        f"ours: {name}", lambda texts: logits(predictor, texts).argmax(axis=1), predictor.tokenize, ours=True,
        renew=renew,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("ours", nargs="*", type=Path, help="artifacts to measure beside them")
    parser.add_argument("--teacher", type=Path, help="an encoder artifact to use instead of the ladder's")
    parser.add_argument("--texts", type=int, default=1024, help="how many of the test texts, drawn by seed")
    parser.add_argument("--trial-texts", type=int, default=TRIAL_TEXTS, help="training texts that ways are chosen on")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="what one turn may take")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    threads = allowed_cores()
    torch.set_num_threads(threads)
    data = open_named(given.dataset)
    teacher = open_artifact(given.teacher) if given.teacher else teacher_of(given.dataset, data)
    assert data.test is not None and data.train is not None
    generator = np.random.default_rng(13)
    chosen_rows = generator.permutation(len(data.test))[: given.texts]
    texts, labels = [data.test.texts[i] for i in chosen_rows], np.asarray(data.test.labels)[chosen_rows]
    trial = [data.train.texts[i] for i in generator.permutation(len(data.train))[: given.trial_texts]]
    steps = WORK / given.dataset / "compress" / "steps"
    paths = given.ours or sorted(path for path in steps.iterdir() if "int8" in path.name or "onnx" in path.name)
    mine = [
        ours(name, open_predictor(open_artifact(path), threads=threads), trial)
        for name, path in zip(step_names(paths), paths, strict=True)
    ]
    rows: list[dict[str, Any]] = []
    ways: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        tokenized = Tokenizer(teacher.file("tokenizer.json"), teacher.max_tokens).encode(trial)
        made = prepare(teacher, scratch, tokenized, threads)
        peers = Peers(made.limit, made.ways + in_fp32(teacher, scratch, threads), made.left_out)
        for work, candidates, few, some in (
            (AS_THEY_COME, peers.as_they_come(), trial, texts),
            (SINGLE, peers.one_at_a_time(), trial[:TRIAL_SINGLE], texts[:SINGLE_TEXTS]),
        ):
            single = work == SINGLE
            print(f"== {work}", flush=True)
            best, found = best_ways(candidates, few, rounds=RACE_ROUNDS, seconds=0.5, one_at_a_time=single, say=print)
            ways += [{"work": work, **way} for way in found]
            begun = watch()
            rates = in_turn(
                [*mine, *under_the_name(best)], some, rounds=given.rounds, seconds=given.seconds,
                one_at_a_time=single, say=print,
            )  # fmt: skip
            about = provenance(since=begun)
            rows += [
                row(work, runner.name, peer, rates) | {"peer_way": way_of(best[peer], peer)} | about
                for runner in mine
                for peer in best
            ]
        accuracy = {
            runner.name: float((runner.run(texts) == labels).mean()) for runner in [*mine, *peers.for_quality()]
        }
    output = given.output or RESULTS / given.dataset / "peers.json"
    result = {"rows": rows, "ways": ways, "accuracy": accuracy, "n": len(texts), "left_out": peers.left_out}
    write_json(output, result | provenance(threads))
    for name_, value in accuracy.items():
        print(f"{100 * value:6.2f} %  {name_}")
    for each in rows:
        print(f"{each['work']}: {each['ours_name']} {each['ours']:.0f}/s over {beside(each)} {each['peer']:.0f}/s: "
              f"{each['ratio']:.2f}x")  # fmt: skip


if __name__ == "__main__":
    main()
