"""How fast texts become labels, ours beside what people run, with the same weights: benchmarks/results/runtime.json.

What else belongs to the run (machine, versions, dev accuracy, numbers of texts) is in runtime_details.json.

    python benchmarks/runtime.py [--texts 1821] [--rounds 5] [--teacher FOLDER]

SST-2's test texts and, cut to 256 tokens, those of 20newsgroups; the teacher of benchmarks/ladder.py (MiniLM-L6).
Everybody gets the same texts and threads, in turn within one run, tokenizer included; each row keeps the best round of
each. Peers pad batches of 32 texts, in the order given or sorted by length. "OpenVINO int8" is NNCF's quantisation of
the traced graph where nncf is installed, and otherwise our static int8 graph, padded.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from onnxruntime.quantization import quantize_dynamic
from transformers import pipeline

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from ladder import HERE, open_named, teacher_of
from peers import Traced, Transformers, trace

from leanformer.artifact import Artifact, open_artifact
from leanformer.batching import pad
from leanformer.data.dataset import Dataset
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.export.standard import write_standard_onnx
from leanformer.files import write_json
from leanformer.machine import fingerprint
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.models.store import read_model, write_tokenizer_config
from leanformer.predictor import logits
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.predictor import LightPredictor
from leanformer.step import Context

Run = Callable[[Sequence[str]], Any]
LONG_TOKENS, LONG_TEXTS, CALIBRATION = 256, 128, 256


class OpenVino(Transformers):
    """A padded graph in OpenVINO, with its default options but for the number of threads."""

    def __init__(self, folder: Path, artifact: Artifact, batch: int, graph: Any, threads: int) -> None:
        super().__init__(folder, artifact, batch)
        self.request = openvino.compile_model(graph, "CPU", {"INFERENCE_NUM_THREADS": threads}).create_infer_request()

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        self.request.infer({"input_ids": ids, "attention_mask": mask})
        return np.array(self.request.get_output_tensor().data)


def openvino_int8(traced: Path, static: Path, rows: Sequence[np.ndarray]) -> tuple[Any, str]:
    """What OpenVINO's users would run, and what it is."""
    core = openvino.Core()
    if importlib.util.find_spec("nncf") is None:
        return core.read_model(static), "OpenVINO int8 (our static graph)"
    import nncf

    feeds = []
    for start in range(0, len(rows), 32):
        ids, mask = pad(rows[start : start + 32])
        feeds.append({"input_ids": ids, "attention_mask": mask})
    model = nncf.quantize(core.read_model(traced), nncf.Dataset(feeds), model_type=nncf.ModelType.TRANSFORMER)
    return model, "OpenVINO int8 (NNCF)"


def batched(peer: Transformers, *, by_length: bool = False) -> Run:
    """Texts in, logits out, padded batches of the peer's size."""
    return lambda texts: logits(peer, sorted(texts, key=len) if by_length else texts)


def one_by_one(predict: Run) -> Run:
    return lambda texts: [predict([text]) for text in texts]


def best_rates(runs: dict[str, Run], texts: Sequence[str], rounds: int) -> dict[str, float]:
    """Texts per second of each, the best of `rounds`, all in turn, after a warm-up on every text."""
    rates = dict.fromkeys(runs, 0.0)
    for turn in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run(texts)
            if turn:
                rates[name] = max(rates[name], len(texts) / (time.perf_counter() - start))
        print(f"round {turn} of {rounds}: {', '.join(f'{name} {rate:.0f}' for name, rate in rates.items())}")
    return rates


def rows_of(work: str, rates: dict[str, float], ours: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each of ours and each peer."""
    return [
        {
            "work": work, "ours": rates[one], "ours_name": one, "peer": rate, "peer_name": peer,
            "unit": "texts per second", "ratio": rates[one] / rate,
        }
        for one in ours
        for peer, rate in rates.items()
        if peer not in ours
    ]  # fmt: skip


def made(teacher: Artifact, data: Dataset, scratch: Path, threads: int) -> dict[str, Artifact]:
    """Our graphs by precision."""
    context = Context(data, {"teacher": teacher}, scratch, scratch, threads=threads, device="cpu", say=print)
    fp32 = Onnx()(teacher, context, scratch / "fp32")
    steps = {method: Int8(method=method) for method in ("mixed", "static")}
    return {"fp32": fp32} | {name: step(fp32, context, scratch / name) for name, step in steps.items()}


def one_worker(predictor: LightPredictor) -> Run:
    """With one thread in the tokenizer too, which reads this at every call."""

    def run(texts: Sequence[str]) -> Any:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        try:
            return logits(predictor, texts)
        finally:
            del os.environ["TOKENIZERS_PARALLELISM"]

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1821, help="how many of SST-2's test texts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--teacher", type=Path, help="an encoder artifact to use instead of the ladder's")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "runtime.json")
    arguments = parser.parse_args()
    threads = allowed_cores()
    torch.set_num_threads(threads)
    data = open_named("sst2")
    teacher = open_artifact(arguments.teacher) if arguments.teacher else teacher_of("sst2", data)
    assert data.train is not None and data.dev is not None and data.test is not None
    texts = list(data.test.texts[: arguments.texts])
    long_path = Path(os.environ["LEANFORMER_DATA"]) / "20newsgroups" / "test.jsonl"
    with open(long_path, encoding="utf-8") as lines:
        long_texts = [json.loads(next(lines))["text"] for _ in range(LONG_TEXTS)][: arguments.texts]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        ours = made(teacher, data, scratch, threads)
        folder, traced, int8 = scratch / "stock", scratch / "traced.onnx", scratch / "traced-int8.onnx"
        write_checkpoint(read_model(teacher), teacher.task, folder)
        (folder / "tokenizer.json").write_bytes(teacher.file("tokenizer.json").read_bytes())
        write_tokenizer_config(teacher, folder)
        trace(folder, traced)
        quantize_dynamic(traced, int8)
        write_standard_onnx(ours["static"], scratch / "static.onnx")
        engines = {
            f"leanformer int8, {engine}": LightPredictor(ours["mixed"], threads=threads, engine=engine)
            for engine in ("openvino", "onnxruntime")
        }
        first = next(iter(engines.values()))
        chosen = np.random.default_rng(13).permutation(len(data.train))[:CALIBRATION]
        graph, openvino_name = openvino_int8(
            traced, scratch / "static.onnx", first.tokenize([data.train.texts[i] for i in chosen])
        )
        batch, single = (OpenVino(folder, teacher, size, graph, threads) for size in (32, 1))
        ort_batch, ort_single = (Traced(folder, teacher, size, int8, threads) for size in (32, 1))
        classify = pipeline("text-classification", model=str(folder), device="cpu")

        def whole(run: LightPredictor) -> Run:
            return lambda some: logits(run, some)

        result = []
        runs: dict[str, Run] = {name: whole(one) for name, one in engines.items()} | {
            openvino_name: batched(batch),
            "ONNX Runtime int8": batched(ort_batch),
            f"{openvino_name}, sorted": batched(batch, by_length=True),
            "ONNX Runtime int8, sorted": batched(ort_batch, by_length=True),
            "transformers pipeline": lambda some: classify(list(some)),
        }
        result += rows_of("SST-2 test, all at once", best_rates(runs, texts, arguments.rounds), list(engines))
        runs = {name: one_by_one(whole(one)) for name, one in engines.items()} | {
            openvino_name: batched(single),
            "ONNX Runtime int8": batched(ort_single),
        }
        rates = best_rates(runs, texts[:300], arguments.rounds)
        result += rows_of("SST-2 test, one at a time", rates, list(engines))
        for engine, predictor in engines.items():
            one = LightPredictor(ours["mixed"], threads=1, engine=predictor.engine)
            runs = {engine: whole(predictor), "one worker": one_worker(one)}
            result += rows_of(f"SST-2 test, {threads} workers", best_rates(runs, texts, arguments.rounds), [engine])
        cut = replace(teacher, max_tokens=LONG_TOKENS)
        long_ours = {
            name: LightPredictor(replace(ours["mixed"], max_tokens=LONG_TOKENS), threads=threads, engine=one.engine)
            for name, one in engines.items()
        }
        runs = {name: whole(one) for name, one in long_ours.items()} | {
            openvino_name: batched(OpenVino(folder, cut, 32, graph, threads)),
            "ONNX Runtime int8": batched(Traced(folder, cut, 32, int8, threads)),
        }
        result += rows_of(
            f"20newsgroups, {LONG_TOKENS} tokens, all at once", best_rates(runs, long_texts, arguments.rounds),
            list(engines),
        )  # fmt: skip
        labels = np.asarray(data.dev.labels)
        models = {"leanformer fp32": LightPredictor(ours["fp32"], threads=threads)} | engines
        models |= {openvino_name: batch, "ONNX Runtime int8": ort_batch}
        accuracy = {
            name: float((logits(one, data.dev.texts).argmax(axis=1) == labels).mean()) for name, one in models.items()
        }
    write_json(arguments.output, result)
    write_json(
        arguments.output.with_stem(f"{arguments.output.stem}_details"),
        {
            "dev_accuracy": accuracy, "dev_texts": len(labels), "texts": len(texts), "long_texts": len(long_texts),
            "rounds": arguments.rounds, "machine": fingerprint(threads),
        },
    )  # fmt: skip
    for row in result:
        print(f"{row['work']}: {row['ours_name']} {row['ours']:.0f}, {row['peer_name']} {row['peer']:.0f} "
              f"{row['unit']}: {row['ratio']:.2f}x")  # fmt: skip


if __name__ == "__main__":
    main()
