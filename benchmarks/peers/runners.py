"""The peers of benchmarks/runtime/run.py, each in the ways that its users run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import pipeline
from transformers.utils import logging as transformers_logging

from benchmarks.peers.graphs import fuse, onnxruntime_int8, openvino_int8, trace, write_ctranslate2, write_stock
from benchmarks.peers.padded import (
    CTranslate2,
    OnnxRuntime,
    OpenVino,
    Padded,
    SentenceTransformers,
    Transformers,
    in_order_of_length,
)
from benchmarks.runtime.interleaved import Runner, Texts
from leanformer.artifact import Artifact
from leanformer.models.store import read_model
from leanformer.task import Task

BATCH = 32
FUSED, AS_TRACED = "ONNX Runtime int8, fused", "ONNX Runtime int8, as traced"
LIBRARIES = ("ctranslate2", "nncf", "onnxruntime", "openvino", "sentence-transformers", "torch", "transformers")
Make = Callable[[int, int], Padded]
"""A padded peer for batches of so many texts, cut to so many tokens."""


@dataclass
class Peers:
    """The same weights in the formats of others.

    Attributes:
        folder: the checkpoint. limit: the most tokens of a text, as in the artifact.
        int8: name -> how to make it; all of them are int8 and padded.
        left_out: name -> why it is not there.
    """

    folder: Path
    task: Task
    limit: int
    int8: dict[str, Make]
    left_out: dict[str, str]

    def as_they_come(self) -> list[Runner]:
        """Batches of 32 in the order given."""
        return [*(self._padded(name, BATCH) for name in self.int8), self._pipeline("transformers pipeline", BATCH)]

    def by_length(self) -> list[Runner]:
        """Batches of 32 cut from the texts sorted by length, and sentence-transformers, which does that by itself."""
        bf16 = Transformers(self.folder, self.task, self.limit, BATCH, torch.bfloat16)
        return [
            *(self._sorted(name, make(BATCH, self.limit)) for name, make in self.int8.items()),
            self._sorted("PyTorch bf16", bf16),
            _runner("sentence-transformers fp32", SentenceTransformers(self.folder, self.task, self.limit, BATCH)),
        ]

    def one_at_a_time(self) -> list[Runner]:
        return [*(self._padded(name, 1) for name in self.int8), self._pipeline("transformers pipeline", 1)]

    def long(self, limit: int) -> list[Runner]:
        """Sorted batches of 32, and one by one, which stays in the cache; the best of them is the one to beat."""
        return [
            runner
            for name, make in self.int8.items()
            if name != AS_TRACED  # no faster than the fused one on long texts, where each run takes seconds
            for runner in (
                self._sorted(f"{name}, batches of {BATCH}", make(BATCH, limit)),
                _runner_of(f"{name}, one by one", make(1, limit)),
            )
        ]

    def for_quality(self) -> list[Runner]:
        return [*self.by_length(), self._pipeline("transformers pipeline", BATCH)]

    def versions(self) -> dict[str, str]:
        found = {}
        for name in LIBRARIES:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        return found

    def _padded(self, name: str, batch: int) -> Runner:
        return _runner_of(name, self.int8[name](batch, self.limit))

    def _sorted(self, name: str, one: Padded) -> Runner:
        return Runner(name, lambda texts: in_order_of_length(one, texts).argmax(axis=1), one.tokenize)

    def _pipeline(self, name: str, batch: int) -> Runner:
        index = {label: number for number, label in enumerate(self.task.labels)}
        classify = self._classify
        return Runner(
            name, lambda texts: np.array(
                [
                    index[one["label"]]
                    for one in classify(list(texts), batch_size=batch, truncation=True, max_length=self.limit)
                ]
            )
        )  # fmt: skip

    @cached_property
    def _classify(self) -> Any:
        return pipeline("text-classification", model=str(self.folder), device="cpu")


def _runner_of(name: str, one: Padded) -> Runner:
    return Runner(name, lambda texts: one.infer(one.tokenize(texts)).argmax(axis=1), one.tokenize)


def _runner(name: str, scores: Callable[[Texts], np.ndarray]) -> Runner:
    return Runner(name, lambda texts: scores(texts).argmax(axis=1))


def prepare(teacher: Artifact, scratch: Path, calibration: Sequence[np.ndarray], threads: int) -> Peers:
    """Write the teacher in everybody's format below `scratch`; `calibration` are rows of token ids for NNCF."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    folder, task = scratch / "stock", teacher.task
    traced, fused = scratch / "traced.onnx", scratch / "fused.onnx"
    write_stock(teacher, folder)
    trace(folder, traced)
    config = read_model(teacher).config
    fuse(traced, fused, config.layers[0].heads, config.hidden)
    int8: dict[str, Make] = {}
    left_out: dict[str, str] = {}
    quantised = openvino_int8(traced, calibration)
    if quantised is None:
        left_out["OpenVINO int8 (NNCF)"] = "nncf is not installed; remedy: pip install '.[peers]'"
    else:
        int8["OpenVINO int8 (NNCF)"] = lambda batch, limit: OpenVino(folder, task, limit, batch, quantised, threads)
    for name, source in ((FUSED, fused), (AS_TRACED, traced)):
        graph = source.with_stem(f"{source.stem}-int8")
        onnxruntime_int8(source, graph)
        int8[name] = _onnxruntime(folder, task, graph, threads)
    converted = scratch / "ctranslate2"
    if write_ctranslate2(folder, converted):
        int8["CTranslate2 int8"] = lambda batch, limit: CTranslate2(folder, task, limit, batch, converted, threads)
    else:
        left_out["CTranslate2 int8"] = "ctranslate2 is not installed; remedy: pip install '.[peers]'"
    return Peers(folder, task, teacher.max_tokens, int8, left_out)


def _onnxruntime(folder: Path, task: Task, graph: Path, threads: int) -> Make:
    return lambda batch, limit: OnnxRuntime(folder, task, limit, batch, graph, threads)
