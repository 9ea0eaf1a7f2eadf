"""The same teacher, run as people commonly run it and as we run it: benchmarks/results/<data set>/peers.json.

    python -m benchmarks.peers.run sst2

All get the same test texts and threads, in turn, tokenizer included. "traced" is `torch.onnx.export` of the
`transformers` model, run by ONNX Runtime; its int8 form is ONNX Runtime's own `quantize_dynamic` with default options.
The peers' batches are 32 texts in the order given, padded to the longest, which is what their examples do.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from benchmarks.ladders.run import open_named, teacher_of
from benchmarks.paths import RESULTS, WORK
from benchmarks.peers.graphs import onnxruntime_int8, trace, write_stock
from benchmarks.peers.padded import OnnxRuntime, Transformers
from leanformer.artifact import open_artifact
from leanformer.files import write_json
from leanformer.loading import open_predictor
from leanformer.machine import fingerprint
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.predictor import Predictor, logits
from leanformer.runtime.cores import allowed_cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("ours", nargs="*", type=Path, help="artifacts to measure beside them")
    arguments = parser.parse_args()
    threads = allowed_cores()
    torch.set_num_threads(threads)
    data = open_named(arguments.dataset)
    teacher = teacher_of(arguments.dataset, data)
    assert data.test is not None
    with tempfile.TemporaryDirectory() as scratch:
        folder, graph, int8 = Path(scratch, "stock"), Path(scratch, "traced.onnx"), Path(scratch, "int8.onnx")
        write_stock(teacher, folder)
        trace(folder, graph)
        onnxruntime_int8(graph, int8)
        task, limit = teacher.task, teacher.max_tokens
        predictors: dict[str, Predictor] = {
            "transformers, one at a time": Transformers(folder, task, limit, 1),
            "transformers, batches of 32": Transformers(folder, task, limit, 32),
            "traced, one at a time": OnnxRuntime(folder, task, limit, 1, graph, threads),
            "traced, batches of 32": OnnxRuntime(folder, task, limit, 32, graph, threads),
            "traced int8, one at a time": OnnxRuntime(folder, task, limit, 1, int8, threads),
            "traced int8, batches of 32": OnnxRuntime(folder, task, limit, 32, int8, threads),
        }
        steps = WORK / arguments.dataset / "compress" / "steps"
        ours = arguments.ours or sorted(path for path in steps.iterdir() if "int8" in path.name or "onnx" in path.name)
        for path in ours:
            artifact = open_artifact(path)
            predictors[f"ours: {path.name.rsplit('-', 1)[0]}"] = open_predictor(artifact, threads=threads)
        labels = np.asarray(data.test.labels)
        accuracy = [
            float((logits(predictor, data.test.texts).argmax(axis=1) == labels).mean())
            for predictor in predictors.values()
        ]
        speeds = measure_speed(list(predictors.values()), data.test.texts, SpeedSettings(seconds=4.0), say=print)
    rows = {
        name: {"accuracy": quality, "n": len(labels), **asdict(speed)}
        for name, quality, speed in zip(predictors, accuracy, speeds, strict=True)
    }
    write_json(RESULTS / arguments.dataset / "peers.json", {"rows": rows, "machine": fingerprint(threads)})
    for name, row in rows.items():
        print(
            f"{name:32} {100 * row['accuracy']:6.2f} %  {row['throughput_per_second']:8.0f} texts/s  "
            f"p50 {row['latency_ms_p50']:6.2f} ms"
        )


if __name__ == "__main__":
    main()
