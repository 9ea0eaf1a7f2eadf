"""The same teacher, run as people commonly run it and as we run it: benchmarks/results/<data set>/peers.json.

    python benchmarks/peers/peers.py sst2

All get the same test texts and threads, in turn, tokenizer included. "traced" is `torch.onnx.export` of the
`transformers` model, run by ONNX Runtime; its int8 form is ONNX Runtime's own `quantize_dynamic` with default options.
The peers' batches are 32 texts in the order given, padded to the longest, which is what their examples do.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from onnxruntime.quantization import quantize_dynamic
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from ladder import HERE, open_named, teacher_of

from leanformer.artifact import Artifact, open_artifact
from leanformer.files import write_json
from leanformer.loading import open_predictor
from leanformer.machine import fingerprint
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.models.store import read_model, write_tokenizer_config
from leanformer.predictor import Predictor, logits
from leanformer.runtime.cores import allowed_cores


class Transformers:
    """`AutoTokenizer` and `AutoModelForSequenceClassification`, fp32."""

    def __init__(self, folder: Path, artifact: Artifact, batch: int) -> None:
        self.task, self.batch = artifact.task, batch
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        self.limit = artifact.max_tokens

    def tokenize(self, texts: Sequence[str]) -> list[dict[str, np.ndarray]]:
        """Padded batches; the protocol's "rows" are whole batches here, as these programs make them."""
        batches = []
        for start in range(0, len(texts), self.batch):
            chunk = list(texts[start : start + self.batch])
            batches.append(
                self.tokenizer(chunk, padding=True, truncation=True, max_length=self.limit, return_tensors="np")
            )
        return batches

    def infer(self, rows: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
        return np.concatenate([self.run(row["input_ids"], row["attention_mask"]) for row in rows])

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            output = self.model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return np.asarray(output.logits.numpy())


class Traced(Transformers):
    """The traced graph in ONNX Runtime with its default options but for the number of threads."""

    def __init__(self, folder: Path, artifact: Artifact, batch: int, graph: Path, threads: int) -> None:
        super().__init__(folder, artifact, batch)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(str(graph), options, ["CPUExecutionProvider"])

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.asarray(self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0])


def trace(folder: Path, graph: Path) -> None:
    """Export with a padded example, without which the trace would leave the mask out."""

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    ids, mask = torch.ones(2, 7, dtype=torch.long), torch.ones(2, 7, dtype=torch.long)
    mask[0, 4:] = 0
    axes = {"input_ids": {0: "batch", 1: "tokens"}, "attention_mask": {0: "batch", 1: "tokens"}, "logits": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Logits(), (ids, mask), str(graph), input_names=["input_ids", "attention_mask"], output_names=["logits"],
            dynamic_axes=axes, opset_version=17, dynamo=False,
        )  # fmt: skip


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
        write_checkpoint(read_model(teacher), teacher.task, folder)
        (folder / "tokenizer.json").write_bytes(teacher.file("tokenizer.json").read_bytes())
        write_tokenizer_config(teacher, folder)
        trace(folder, graph)
        quantize_dynamic(graph, int8)
        predictors: dict[str, Predictor] = {
            "transformers, one at a time": Transformers(folder, teacher, 1),
            "transformers, batches of 32": Transformers(folder, teacher, 32),
            "traced, one at a time": Traced(folder, teacher, 1, graph, threads),
            "traced, batches of 32": Traced(folder, teacher, 32, graph, threads),
            "traced int8, one at a time": Traced(folder, teacher, 1, int8, threads),
            "traced int8, batches of 32": Traced(folder, teacher, 32, int8, threads),
        }
        steps = HERE / "work" / arguments.dataset / "compress" / "steps"
        ours = arguments.ours or sorted(path for path in steps.iterdir() if "int8" in path.name or "onnx" in path.name)
        for path in ours:
            artifact = open_artifact(path)
            predictors[f"ours: {path.name.rsplit('-', 1)[0]}"] = open_predictor(artifact, threads=threads)
        labels = np.asarray(data.test.labels)
        accuracy = [
            float((logits(one, data.test.texts).argmax(axis=1) == labels).mean()) for one in predictors.values()
        ]
        speeds = measure_speed(list(predictors.values()), data.test.texts, SpeedSettings(seconds=4.0), say=print)
    rows = {
        name: {"accuracy": quality, "n": len(labels), **asdict(speed)}
        for name, quality, speed in zip(predictors, accuracy, speeds, strict=True)
    }
    write_json(HERE / "results" / arguments.dataset / "peers.json", {"rows": rows, "machine": fingerprint(threads)})
    for name, row in rows.items():
        print(
            f"{name:32} {100 * row['accuracy']:6.2f} %  {row['throughput_per_second']:8.0f} texts/s  "
            f"p50 {row['latency_ms_p50']:6.2f} ms"
        )


if __name__ == "__main__":
    main()
