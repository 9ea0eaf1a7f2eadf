"""How others run the same weights: padded batches, one at a time or side by side, in the ways that their guides name.

All take texts and give logits. Most are predictors, too (texts to ids, ids to logits), whose "rows" are whole batches,
as these programs make them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, Self

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
        return [self._tokenized(part) for part in cut(texts, self.batch)]

    def _tokenized(self, texts: Sequence[str]) -> Batch:
        return self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.limit, return_tensors="np"
        )  # fmt: skip

    def infer(self, rows: Sequence[Batch]) -> np.ndarray:
        return np.concatenate([self.run(row["input_ids"], row["attention_mask"]) for row in rows])

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Logits `[texts, outputs]`."""
        return self.infer(self.tokenize(texts))

    def at(self, batch: int, limit: int) -> Self:
        """The same model with batches of another size, cut to another length."""
        other = copy(self)
        other.batch, other.limit = batch, limit
        return other

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Logits of one batch: ids and mask `[texts, tokens]`."""
        raise NotImplementedError


class SideBySide:
    """Copies of a padded predictor, each with a thread of its own that takes the next batch when it is free.

    What the guides advise for throughput where calls cannot overlap in one instance: as many instances as cores, each
    with one thread. Every copy has a tokenizer of its own, so that one tokenizes while another computes.
    """

    def __init__(self, copies: Sequence[Padded]) -> None:
        self.copies = list(copies)
        self.pool = ThreadPoolExecutor(len(self.copies))

    def tokenize(self, texts: Sequence[str]) -> list[Batch]:
        return self.copies[0].tokenize(texts)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Logits `[texts, outputs]`."""
        idle: SimpleQueue[Padded] = SimpleQueue()
        for member in self.copies:
            idle.put(member)

        def answer(part: Sequence[str]) -> np.ndarray:
            member = idle.get()
            try:
                return member(part)
            finally:
                idle.put(member)

        return np.concatenate(list(self.pool.map(answer, cut(texts, self.copies[0].batch))))

    def at(self, batch: int, limit: int) -> SideBySide:
        """See `Padded.at`; the threads are the same."""
        other = copy(self)
        other.copies = [member.at(batch, limit) for member in self.copies]
        return other


def cut(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    """Parts of so many texts, in their order."""
    return [texts[start : start + size] for start in range(0, len(texts), size)]


class Transformers(Padded):
    """`AutoModelForSequenceClassification` in PyTorch, in `dtype`.

    Args:
        change: what is made of the model, such as a quantised one.
    """

    def __init__(
        self, folder: Path, task: Task, limit: int, batch: int, dtype: torch.dtype = torch.float32,
        change: Callable[[Any], Any] = lambda model: model,
    ) -> None:  # fmt: skip
        super().__init__(folder, task, limit, batch)
        self.model = change(AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype).eval())

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            output = self.model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return np.asarray(output.logits.float().numpy())


class OnnxRuntime(Padded):
    """A padded graph in ONNX Runtime with its default options but for the number of threads: operators in sequence."""

    def __init__(self, folder: Path, task: Task, limit: int, batch: int, graph: Path, threads: int) -> None:
        super().__init__(folder, task, limit, batch)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(str(graph), options, ["CPUExecutionProvider"])

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.asarray(self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0])


class OpenVino(Padded):
    """A padded graph in OpenVINO, one request after the other.

    Args:
        options: of `compile_model`, beside the number of threads: the hint, the streams, the precision of inference.
    """

    def __init__(
        self, folder: Path, task: Task, limit: int, batch: int, graph: Any, threads: int, **options: Any
    ) -> None:  # fmt: skip
        openvino = import_openvino()
        super().__init__(folder, task, limit, batch)
        self.compiled = openvino.compile_model(graph, "CPU", {"INFERENCE_NUM_THREADS": threads, **options})
        self.request = self.compiled.create_infer_request()

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        self.request.infer({"input_ids": ids, "attention_mask": mask})
        return np.array(self.request.get_output_tensor().data)


class OpenVinoQueue(OpenVino):
    """The same with several requests at a time, by `AsyncInferQueue`, as its guide has it for throughput.

    Args:
        requests: at a time; 0: as many as the compiled model says are best.
    """

    def __init__(
        self, folder: Path, task: Task, limit: int, batch: int, graph: Any, threads: int, requests: int = 0,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(folder, task, limit, batch, graph, threads, **options)
        from openvino import AsyncInferQueue

        self.queue = AsyncInferQueue(self.compiled, requests)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Logits `[texts, outputs]`; a batch is tokenized while those before it are computed."""
        parts = cut(texts, self.batch)
        found: list[np.ndarray | None] = [None] * len(parts)

        def store(request: Any, number: int) -> None:
            found[number] = np.array(request.get_output_tensor().data)

        self.queue.set_callback(store)
        for number, part in enumerate(parts):
            row = self._tokenized(part)
            feed = {"input_ids": row["input_ids"], "attention_mask": row["attention_mask"]}
            self.queue.start_async(feed, userdata=number)
        self.queue.wait_all()
        return np.concatenate([logits for logits in found if logits is not None])


class CTranslate2(Padded):
    """The encoder in CTranslate2, and the classifier, which it does not know, in numpy.

    Args:
        converted: what `graphs.write_ctranslate2` wrote.
        precision: that it computes in; "default" is that of the weights as written.
        workers: `inter_threads`: batches computed at a time, with `threads` for each of them.
    """

    def __init__(
        self, folder: Path, task: Task, limit: int, batch: int, converted: Path, threads: int,
        precision: str = "default", workers: int = 1,
    ) -> None:  # fmt: skip
        import ctranslate2
        from safetensors.numpy import load_file

        super().__init__(folder, task, limit, batch)
        self.encoder = ctranslate2.Encoder(
            str(converted), device="cpu", compute_type=precision, inter_threads=workers, intra_threads=threads
        )
        weights = load_file(folder / "model.safetensors")
        self.weight, self.bias = weights["classifier.weight"].T, weights["classifier.bias"]
        self.pool = ThreadPoolExecutor(workers)

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return self._answered([row[:length].tolist() for row, length in zip(ids, mask.sum(axis=1), strict=True)])

    def infer(self, rows: Sequence[Batch]) -> np.ndarray:
        return np.concatenate(
            list(self.pool.map(lambda row: self.run(row["input_ids"], row["attention_mask"]), rows))
        )  # fmt: skip

    def _answered(self, rows: list[list[int]]) -> np.ndarray:
        return np.asarray(self.encoder.forward_batch(rows).pooler_output) @ self.weight + self.bias


class CTranslate2ByTokens(CTranslate2):
    """The same with batches as CTranslate2 cuts them for translation (`batch_type="tokens"`).

    Rows sorted by length, and as many in a batch as `TOKENS` hold, padding included; `batch` counts for nothing.
    """

    TOKENS = 1024

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Logits `[texts, outputs]`."""
        rows = self.tokenizer(list(texts), truncation=True, max_length=self.limit)["input_ids"]
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        batches: list[list[int]] = [[]]
        for i in order:
            # The first of a batch is its longest.
            if batches[-1] and (len(batches[-1]) + 1) * len(rows[batches[-1][0]]) > self.TOKENS:
                batches.append([])
            batches[-1].append(i)
        answers = self.pool.map(lambda batch: self._answered([rows[i] for i in batch]), batches)
        values = np.concatenate(list(answers))
        result = np.empty_like(values)
        result[order] = values
        return result


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

    def at(self, batch: int, limit: int) -> SentenceTransformers:
        """The same model with batches of another size; texts are cut as before."""
        other = copy(self)
        other.batch = batch
        return other


def in_order_of_length(predictor: Callable[[Sequence[str]], np.ndarray], texts: Sequence[str]) -> np.ndarray:
    """Logits of batches that are cut from the texts sorted by their letters, in the order of `texts` again."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    values = predictor([texts[i] for i in order])
    result = np.empty_like(values)
    result[order] = values
    return result
