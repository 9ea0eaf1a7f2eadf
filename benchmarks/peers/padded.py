"""How others run the same weights: padded batches of a fixed number of texts, each with its users' usual options.

All are predictors (texts to ids, ids to logits) whose "rows" are whole batches, as these programs make them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from leanformer.runtime.engines.openvino_engine import import_openvino
from leanformer.task import Task


class Batch(Protocol):
    """What a tokenizer of `transformers` returns for one batch."""

    def __getitem__(self, name: str) -> np.ndarray: ...


class Padded:
    """`AutoTokenizer`, batches of `batch` texts in the order given, each padded to its longest, cut to `limit` tokens.

    Args:
        folder: a checkpoint as `save_pretrained` writes it.
    """

    def __init__(self, folder: Path, task: Task, limit: int, batch: int) -> None:
        self.task, self.limit, self.batch = task, limit, batch
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def tokenize(self, texts: Sequence[str]) -> list[Batch]:
        return [
            self.tokenizer(
                list(texts[start : start + self.batch]), padding=True, truncation=True, max_length=self.limit,
                return_tensors="np",
            )
            for start in range(0, len(texts), self.batch)
        ]  # fmt: skip

    def infer(self, rows: Sequence[Batch]) -> np.ndarray:
        return np.concatenate([self.run(row["input_ids"], row["attention_mask"]) for row in rows])

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Logits of one batch: ids and mask `[texts, tokens]`."""
        raise NotImplementedError


class Transformers(Padded):
    """`AutoModelForSequenceClassification` in PyTorch, in `dtype`."""

    def __init__(
        self, folder: Path, task: Task, limit: int, batch: int, dtype: torch.dtype = torch.float32
    ) -> None:  # fmt: skip
        super().__init__(folder, task, limit, batch)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype).eval()

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            output = self.model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return np.asarray(output.logits.float().numpy())


class OnnxRuntime(Padded):
    """A padded graph in ONNX Runtime with its default options but for the number of threads."""

    def __init__(self, folder: Path, task: Task, limit: int, batch: int, graph: Path, threads: int) -> None:
        super().__init__(folder, task, limit, batch)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(str(graph), options, ["CPUExecutionProvider"])

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.asarray(self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0])


class OpenVino(Padded):
    """A padded graph in OpenVINO with its default options but for the number of threads and the precision.

    Unasked it would compute in bfloat16 where a CPU has it, and the ways beside it do not.
    """

    def __init__(self, folder: Path, task: Task, limit: int, batch: int, graph: Any, threads: int) -> None:
        openvino = import_openvino()
        super().__init__(folder, task, limit, batch)
        compiled = openvino.compile_model(
            graph, "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        )
        self.request = compiled.create_infer_request()

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        self.request.infer({"input_ids": ids, "attention_mask": mask})
        return np.array(self.request.get_output_tensor().data)


class CTranslate2(Padded):
    """The encoder in CTranslate2, and the classifier, which it does not know, in numpy.

    Args:
        converted: what `graphs.write_ctranslate2` wrote.
        precision: that it computes in; "default" is that of the weights as written.
    """

    def __init__(
        self, folder: Path, task: Task, limit: int, batch: int, converted: Path, threads: int,
        precision: str = "default",
    ) -> None:  # fmt: skip
        import ctranslate2
        from safetensors.numpy import load_file

        super().__init__(folder, task, limit, batch)
        self.encoder = ctranslate2.Encoder(
            str(converted), device="cpu", compute_type=precision, inter_threads=1, intra_threads=threads
        )
        weights = load_file(folder / "model.safetensors")
        self.weight, self.bias = weights["classifier.weight"].T, weights["classifier.bias"]

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        rows = [row[:length].tolist() for row, length in zip(ids, mask.sum(axis=1), strict=True)]
        return np.asarray(self.encoder.forward_batch(rows).pooler_output) @ self.weight + self.bias


class SentenceTransformers:
    """The classifier as modules of sentence-transformers, whose `encode` sorts by length and puts the order back."""

    def __init__(self, folder: Path, task: Task, limit: int, batch: int) -> None:
        from safetensors.torch import load_file
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer

        weights = load_file(folder / "model.safetensors")
        hidden = weights["bert.pooler.dense.weight"].shape[1]
        pooler = Dense(hidden, hidden, activation_function=torch.nn.Tanh())
        head = Dense(hidden, task.outputs, activation_function=torch.nn.Identity())
        for module, name in ((pooler, "bert.pooler.dense"), (head, "classifier")):
            module.linear.load_state_dict({part: weights[f"{name}.{part}"] for part in ("weight", "bias")})
        encoder = Transformer(str(folder), max_seq_length=limit)
        modules = [encoder, Pooling(hidden, pooling_mode="cls"), pooler, head]
        self.task, self.batch = task, batch
        self.model = SentenceTransformer(modules=modules, device="cpu")

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Logits `[texts, outputs]`."""
        return np.asarray(self.model.encode(list(texts), batch_size=self.batch, show_progress_bar=False))


def in_order_of_length(predictor: Padded, texts: Sequence[str]) -> np.ndarray:
    """Logits of batches that are cut from the texts sorted by their letters, in the order of `texts` again."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    values = predictor.infer(predictor.tokenize([texts[i] for i in order]))
    result = np.empty_like(values)
    result[order] = values
    return result
