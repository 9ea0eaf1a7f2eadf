"""A small encoder from random weights, the same for every kind of attention, and its training."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.atlas.tasks import PADDING, Rows, Task
from leanformer.models.classifier import Classifier, parameter_counts
from leanformer.shapes.attention import KINDS
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from leanformer.shapes.head import HeadShape


@dataclass(frozen=True)
class Sizes:
    """How large the model is and how long it is trained.

    Attributes:
        steps: optimiser steps, by the name of the task. rate: the learning rate, after a warm-up of a tenth of them.
    """

    steps: Mapping[str, int]
    hidden: int = 128
    layers: int = 2
    heads: int = 4
    ffn: int = 512
    batch: int = 16
    rate: float = 1e-3


def shape(task: Task, sizes: Sizes, kind: str, options: Mapping[str, Any]) -> EncoderConfig:
    """The model with this kind of attention; its feed-forward blocks are so wide that it has softmax's parameters."""

    def with_ffn(name: str, given: Mapping[str, Any], ffn: int) -> EncoderConfig:
        layer = LayerShape(sizes.heads, ffn, attention=KINDS[name](**given))
        return EncoderConfig(
            vocabulary=task.vocabulary, hidden=sizes.hidden, head_size=sizes.hidden // sizes.heads,
            layers=(layer,) * sizes.layers, positions=task.length, token_types=0, activation="gelu", norm_epsilon=1e-5,
            dropout=0.1, attention_dropout=0.0, padding_id=PADDING, labels=task.labels, norm_first=True,
            head=HeadShape(pooling="mean"),
        )  # fmt: skip

    config = with_ffn(kind, options, sizes.ffn)
    counts = [parameters(each) for each in (with_ffn("softmax", {}, sizes.ffn), config)]
    wider = round((counts[0] - counts[1]) / (sizes.layers * config.unit_parameters))
    return with_ffn(kind, options, max(8, sizes.ffn + wider))


def parameters(config: EncoderConfig) -> int:
    """Number of parameters."""
    with torch.device("meta"):
        return parameter_counts(Classifier(config))["parameters"]


def trained(config: EncoderConfig, task: Task, sizes: Sizes, seed: int) -> tuple[Classifier, float]:
    """The model after its steps, and the seconds of CPU time; a seed has the same batches for every kind."""
    start = time.process_time()
    torch.manual_seed(seed)
    model, steps = Classifier(config).train(), sizes.steps[task.name]
    optimiser = torch.optim.AdamW(model.parameters(), lr=sizes.rate, weight_decay=0.01)
    warm = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm))
    )
    order = np.random.default_rng(seed)
    for _ in range(steps):
        rows = [task.train[row] for row in order.integers(len(task.train), size=sizes.batch)]
        ids, labels = padded(rows)
        optimiser.zero_grad()
        F.cross_entropy(model(ids, ids != PADDING), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model.eval(), time.process_time() - start


def padded(rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids `[B, S]`, padded on the right, and labels `[B]`."""
    width = max(len(ids) for ids, _ in rows)
    filled = [ids + [PADDING] * (width - len(ids)) for ids, _ in rows]
    return torch.tensor(filled), torch.tensor([label for _, label in rows])


@torch.inference_mode()
def right(model: Classifier, rows: Rows, batch: int = 32) -> str:
    """ "1" for each row that the model gets right, "0" for each other, in their order."""
    order = sorted(range(len(rows)), key=lambda row: len(rows[row][0]))
    hits = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        ids, labels = padded([rows[row] for row in part])
        hits[part] = (model(ids, ids != PADDING).argmax(dim=1) == labels).numpy()
    return "".join("1" if hit else "0" for hit in hits)


def toy(task: Task, rows: int) -> Task:
    """The task with its first rows alone."""
    return replace(task, train=task.train[:rows], test=task.test[:rows])
