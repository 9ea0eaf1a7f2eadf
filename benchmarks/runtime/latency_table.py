"""Milliseconds per number of heads and units on this machine: the table that pruning reads for `budget: latency`.

    python -m benchmarks.runtime.latency_table TEACHER OUTPUT.json --rows 8 --tokens 25

TEACHER is an artifact of format "encoder"; only its shape matters. A batch of so many rows of so many tokens is run by
our runtime on one thread, as its workers do. About thirty models of one or two layers are timed: a minute or two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch

from leanformer.artifact import open_artifact
from leanformer.compress.prune.latency_table import measure_latency_table
from leanformer.export.graphs.encoder_graph import encoder_graph
from leanformer.files import write_json
from leanformer.machine import fingerprint
from leanformer.models.classifier import Classifier
from leanformer.models.store import CONFIG
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.shapes.encoder import EncoderConfig


def timer(rows: int, tokens: int, rounds: int):
    """A function from a shape to the median milliseconds of one batch, after three batches of warm-up."""
    ids = np.random.default_rng(0).integers(0, 1000, (rows, tokens))
    mask = np.ones_like(ids)

    def milliseconds(config: EncoderConfig) -> float:
        torch.manual_seed(0)
        # What words there are does not matter, and a table of 30,000 is slow to write.
        model = Classifier(replace(config, vocabulary=1000, padding_id=0)).eval()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(encoder_graph(model), path)
            engine = OnnxEngine(path, 1)
        taken = []
        for turn in range(rounds + 3):
            start = time.perf_counter()
            engine.run(ids, mask)
            if turn >= 3:
                taken.append(1000 * (time.perf_counter() - start))
        return statistics.median(taken)

    return milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=25)
    parser.add_argument("--points", type=int, default=8, help="numbers of heads and of units to measure")
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    text = open_artifact(given.teacher).file(CONFIG).read_text(encoding="utf-8")
    config = EncoderConfig.from_json(json.loads(text))
    facts = {"rows": given.rows, "tokens": given.tokens, "rounds": given.rounds, "machine": fingerprint(1)}
    milliseconds = timer(given.rows, given.tokens, given.rounds)
    table = measure_latency_table(config, milliseconds, points=given.points, facts=facts)
    write_json(given.output, table)
    print(given.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
