"""Which layers make a good student, untrained and after brief trials: benchmarks/results/<data set>/layers.json.

    python -m benchmarks.ladders.layers sst2

Uses the teacher that benchmarks/ladders/run.py trains.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch

from benchmarks.ladders.run import open_named, teacher_of
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.compress.distil.choose_layers import choose_layers
from leanformer.compress.distil.distil import Distil
from leanformer.compress.distil.try_layers import trial_distances
from leanformer.data.examples import sampled
from leanformer.files import write_json
from leanformer.models.store import read_model
from leanformer.runtime.cores import allowed_cores
from leanformer.step import Context
from leanformer.tokenizer import Tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    name = parser.parse_args().dataset
    threads = allowed_cores()
    torch.set_num_threads(threads)
    data = open_named(name)
    teacher = teacher_of(name, data)
    model, work = read_model(teacher), WORK / name / "layers"
    tokenizer = Tokenizer(teacher.file("tokenizer.json"), teacher.max_tokens)
    context = Context(
        data=replace(data, test=None), artifacts={"teacher": teacher}, work=work, cache=work / "cache", threads=threads,
        say=print,
    )  # fmt: skip
    assert data.train is not None
    assert data.dev is not None
    drawn = np.random.default_rng(context.seed).permutation(len(data.train))[: Distil().trial_texts]
    texts = [data.train.texts[i] for i in drawn]
    rows = []
    for keep in (3, 2):
        distances = trial_distances(
            model, keep, texts=texts, dev=data.dev, tokenizer=tokenizer, context=context,
            learning_rate=Distil().learning_rate,
        )  # fmt: skip
        nearest = choose_layers(model, keep, tokenizer.encode(sampled(data.dev, 512, context.seed)))
        rows += [
            {
                "layers": [i + 1 for i in layers],
                "cross_entropy_after_trial": value,
                "untrained_nearest": layers == nearest,
            }
            for layers, value in distances.items()
        ]
    result = {"trial_texts": len(texts), "dev_texts": 512, "candidates": rows, **provenance(threads)}
    write_json(RESULTS / name / "layers.json", result)


if __name__ == "__main__":
    main()
