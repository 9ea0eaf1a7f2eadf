"""The peers of benchmarks/runtime/run.py and every way to run each of them that its own guide names.

Which way stands for a peer is decided by a race on training texts (`contest.py`), as our engine is chosen.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from transformers import pipeline
from transformers.utils import logging as transformers_logging

from benchmarks.peers.graphs import fuse, onnxruntime_int8, openvino_int8, trace, write_ctranslate2, write_stock
from benchmarks.peers.padded import (
    CTranslate2,
    CTranslate2ByTokens,
    OnnxRuntime,
    OpenVino,
    OpenVinoQueue,
    SentenceTransformers,
    SideBySide,
    Transformers,
    in_order_of_length,
)
from benchmarks.runtime.interleaved import Runner
from leanformer.artifact import Artifact
from leanformer.machine import instruction_sets
from leanformer.models.store import read_model
from leanformer.task import Task

# Texts in a batch, the one of the libraries' examples first.
MANY, LONG_BATCHES, ALONE = (32, 8), (32, 8, 1), (1,)
LIBRARIES = (
    "ctranslate2", "nncf", "onnxruntime", "openvino", "sentence-transformers", "torch", "torchao", "transformers",
)  # fmt: skip
OPENVINO, ONNXRUNTIME, CTRANSLATE2 = "OpenVINO int8 (NNCF)", "ONNX Runtime int8", "CTranslate2 int8"
PIPELINE, BF16, SENTENCES = "transformers pipeline", "PyTorch bf16", "sentence-transformers fp32"
TORCHAO = "torchao int8"
# In bfloat16 OpenVINO computes what is not in int8, where a CPU has it; the ways beside it do not unless they say so.
F32 = {"INFERENCE_PRECISION_HINT": "f32"}


class Answers(Protocol):
    """Texts to logits `[texts, outputs]`."""

    def __call__(self, texts: Sequence[str]) -> np.ndarray: ...

    def at(self, batch: int, limit: int) -> Answers:
        """The same with batches of so many texts, cut to so many tokens."""
        ...


@dataclass
class Way:
    """One way to run a peer; made when it is first asked for.

    Attributes:
        peer: whose way it is. name: what is particular about it.
        answers_like: name of the computation: ways that share it give the same answers.
        batches: whether the size of its batches is ours to choose.
    """

    peer: str
    name: str
    answers_like: str
    open: Callable[[], Answers]
    batches: bool = True

    @cached_property
    def made(self) -> Answers:
        return self.open()

    def runners(self, sizes: Sequence[int], limit: int, *, by_length: bool) -> list[Runner]:
        """A runner for each size of batch; `by_length` cuts batches from the texts sorted by length."""
        return [self._runner(size, limit, by_length) for size in (sizes if self.batches else sizes[:1])]

    def _runner(self, size: int, limit: int, by_length: bool) -> Runner:
        answers = self.made.at(size, limit)
        alone = "one by one" if size == 1 else f"batches of {size}"
        name = f"{self.peer}: {', '.join(filter(None, (self.name, alone if self.batches else '')))}"
        tokenize = getattr(answers, "tokenize", None)
        if by_length:
            return Runner(name, lambda texts: in_order_of_length(answers, texts).argmax(axis=1), tokenize)
        return Runner(name, lambda texts: answers(texts).argmax(axis=1), tokenize)


class Pipeline:
    """`transformers.pipeline`, which gives labels; as logits one where the label is and nought elsewhere."""

    def __init__(self, folder: Path, task: Task, limit: int, batch: int) -> None:
        self.task, self.limit, self.batch = task, limit, batch
        self.classify = pipeline("text-classification", model=str(folder), device="cpu")

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """`[texts, outputs]`."""
        found = self.classify(list(texts), batch_size=self.batch, truncation=True, max_length=self.limit)
        index = {label: number for number, label in enumerate(self.task.labels)}
        return np.eye(len(index))[[index[answer["label"]] for answer in found]]

    def at(self, batch: int, limit: int) -> Pipeline:
        """The same with batches of another size, cut to another length."""
        other = object.__new__(Pipeline)
        other.task, other.limit, other.batch, other.classify = self.task, limit, batch, self.classify
        return other


@dataclass
class Peers:
    """The same weights in the formats of others.

    Attributes:
        limit: the most tokens of a text, as in the artifact.
        ways: every way of every peer, the plainest of each first.
        left_out: name -> why it is not there.
    """

    limit: int
    ways: list[Way]
    left_out: dict[str, str] = field(default_factory=dict)

    def as_they_come(self) -> dict[str, list[Runner]]:
        """Batches in the order given."""
        return self._each(MANY, self.limit, but=(BF16, SENTENCES))

    def by_length(self) -> dict[str, list[Runner]]:
        """Batches cut from the texts sorted by length, as sentence-transformers does by itself."""
        return self._each(MANY, self.limit, but=(PIPELINE,), by_length=True)

    def one_at_a_time(self) -> dict[str, list[Runner]]:
        return self._each(ALONE, self.limit, but=(BF16, SENTENCES))

    def long(self, limit: int) -> dict[str, list[Runner]]:
        """In batches and one by one, which stays in the cache."""
        return self._each(LONG_BATCHES, limit, but=(BF16, SENTENCES, PIPELINE, TORCHAO), by_length=True)

    def for_quality(self) -> list[Runner]:
        """One way of each computation."""
        first = {way.answers_like: way for way in reversed(self.ways)}
        return [
            Runner(name, lambda texts, way=way: way.made.at(MANY[0], self.limit)(texts).argmax(axis=1))
            for name, way in sorted(first.items())
        ]

    def _each(
        self, sizes: Sequence[int], limit: int, *, but: Sequence[str] = (), by_length: bool = False
    ) -> dict[str, list[Runner]]:
        found: dict[str, list[Runner]] = {}
        for way in self.ways:
            if way.peer not in but:
                sorts_itself = way.peer == SENTENCES
                runners = way.runners(sizes, limit, by_length=by_length and not sorts_itself)
                found.setdefault(way.peer, []).extend(runners)
        return found

    @staticmethod
    def versions() -> dict[str, str]:
        found = {}
        for name in LIBRARIES:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        return found


def prepare(teacher: Artifact, scratch: Path, calibration: Sequence[np.ndarray], threads: int) -> Peers:
    """Write the teacher in everybody's format below `scratch`; `calibration` are rows of token ids for NNCF."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    folder, task, limit = scratch / "stock", teacher.task, teacher.max_tokens
    traced, fused = scratch / "traced.onnx", scratch / "fused.onnx"
    write_stock(teacher, folder)
    trace(folder, traced)
    config = read_model(teacher).config
    left_out: dict[str, str] = {}
    graphs = {"as traced": traced}
    try:
        fuse(traced, fused, config.layers[0].heads, config.hidden)
        graphs = {"fused": fused, **graphs}
    except RuntimeError as error:
        left_out[f"{ONNXRUNTIME}, fused"] = str(error).partition(": ")[2]
    stock = (folder, task, limit, MANY[0])
    ways = [
        *_openvino(stock, traced, calibration, threads, left_out),
        *_onnxruntime(stock, graphs, threads),
        *_ctranslate2(stock, scratch / "ctranslate2", threads, left_out),
        *_torchao(stock, left_out),
        Way(PIPELINE, "", PIPELINE, lambda: Pipeline(*stock)),
        Way(BF16, "", BF16, lambda: Transformers(*stock, torch.bfloat16)),
    ]
    if config.family == "bert":
        ways.append(Way(SENTENCES, "", SENTENCES, lambda: SentenceTransformers(*stock)))
    else:
        left_out[SENTENCES] = f"the head put on its vectors here is BERT's, and this is a {config.family} model"
    return Peers(limit, ways, left_out)


Stock = tuple[Path, Task, int, int]


def _onnxruntime(stock: Stock, graphs: dict[str, Path], threads: int) -> list[Way]:
    """The fused and the plain graph, scales per tensor or channel, one session or one for each core."""
    ways = []
    for shape, source in graphs.items():
        for scales, per_channel in (("per tensor", False), ("per channel", True)):
            graph = source.with_stem(f"{source.stem}-int8-{scales.replace(' ', '-')}")
            onnxruntime_int8(source, graph, per_channel=per_channel)
            alike = f"{ONNXRUNTIME}, {shape}, {scales}"
            one, several = _both(lambda count, graph=graph: OnnxRuntime(*stock, graph, count), threads)
            ways.append(Way(ONNXRUNTIME, f"{shape}, {scales}, one session of {threads} threads", alike, one))
            if threads > 1:
                name = f"{shape}, {scales}, {threads} sessions of one thread"
                ways.append(Way(ONNXRUNTIME, name, alike, several))
    return ways


def _both(make: Callable[[int], OnnxRuntime], threads: int) -> tuple[Callable[[], Answers], Callable[[], Answers]]:
    """One with all threads, and as many with one thread each."""
    return lambda: make(threads), lambda: SideBySide([make(1) for _ in range(threads)])


def _openvino(
    stock: Stock, traced: Path, calibration: Sequence[np.ndarray], threads: int, left_out: dict[str, str]
) -> list[Way]:
    """The hint for latency with one request, that for throughput with a queue of them, and a stream for each core."""
    quantised = openvino_int8(traced, calibration)
    if quantised is None:
        left_out[OPENVINO] = "nncf is not installed; remedy: pip install '.[peers]'"
        return []
    precisions: dict[str, dict[str, str]] = {"f32 beside int8": F32}
    if {"amx_bf16", "avx512_bf16"} & set(instruction_sets()):
        precisions["bf16 beside int8"] = {}  # its default where a CPU has it
    ways = []
    for precision, options in precisions.items():
        alike = f"{OPENVINO}, {precision}"
        latency = {"PERFORMANCE_HINT": "LATENCY", **options}
        throughput = {"PERFORMANCE_HINT": "THROUGHPUT", **options}
        streams = {"NUM_STREAMS": str(threads), **options}
        ways += [
            Way(
                OPENVINO, f"{precision}, latency hint, one request", alike,
                lambda latency=latency: OpenVino(*stock, quantised, threads, **latency),
            ),
            Way(
                OPENVINO, f"{precision}, throughput hint, AsyncInferQueue", alike,
                lambda throughput=throughput: OpenVinoQueue(*stock, quantised, threads, **throughput),
            ),
            Way(
                OPENVINO, f"{precision}, {threads} streams, AsyncInferQueue of {threads} requests", alike,
                lambda streams=streams: OpenVinoQueue(*stock, quantised, threads, threads, **streams),
            ),
        ]  # fmt: skip
    return ways


def _ctranslate2(stock: Stock, converted: Path, threads: int, left_out: dict[str, str]) -> list[Way]:
    """`inter_threads` batches at a time of `intra_threads` each; batches of texts, or of tokens as for translation."""
    try:
        if not write_ctranslate2(stock[0], converted):
            left_out[CTRANSLATE2] = "ctranslate2 is not installed; remedy: pip install '.[peers]'"
            return []
    except ValueError as error:  # a family that it does not know
        left_out[CTRANSLATE2] = " ".join(str(error).split())[:200]
        return []
    import ctranslate2

    ways = []
    offered = ctranslate2.get_supported_compute_types("cpu")
    for precision in (name for name in ("int8", "int8_bfloat16") if name in offered):
        for workers, each in dict.fromkeys(((1, threads), (threads, 1))):
            for maker, batching in ((CTranslate2, ""), (CTranslate2ByTokens, "batches by tokens")):
                name = ", ".join(filter(None, (f"{precision}, {workers} x {each} threads", batching)))
                ways.append(
                    Way(
                        CTRANSLATE2, name, f"{CTRANSLATE2}, {precision}",
                        lambda maker=maker, each=each, precision=precision, workers=workers: maker(
                            *stock, converted, each, precision, workers
                        ),
                        batches=not batching,
                    )
                )  # fmt: skip
    return ways


def _torchao(stock: Stock, left_out: dict[str, str]) -> list[Way]:
    """Weights and activations in int8, scales of the activations taken from each batch, plain and compiled."""
    if importlib.util.find_spec("torchao") is None:
        left_out[TORCHAO] = "torchao is not installed; remedy: pip install torchao"
        return []

    def quantised(model: Any) -> Any:
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_(model, Int8DynamicActivationInt8WeightConfig())
        return model

    def compiled(model: Any) -> Any:
        return torch.compile(quantised(model), dynamic=True)  # texts differ in length

    return [
        Way(TORCHAO, name, TORCHAO, partial(Transformers, *stock, torch.float32, change))
        for name, change in (("as it is", quantised), ("compiled", compiled))
    ]
