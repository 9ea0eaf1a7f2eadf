"""Tiny models that know the tiny tasks without a training: each word's embedding says its topic, and heads read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from leanformer.models.classifier import Classifier
from leanformer.models.heads import token_head
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.task import Task
from tests.making.checkpoints import edit
from tests.making.tiny import VOCABULARY, tiny_config, tiny_tokenizer


def knowing(words: Sequence[Sequence[str]], *, tokens: bool = False, sure: float = 4.0) -> Classifier:
    """A model in eval mode whose logit `i` is the largest where words of `words[i]` stand.

    Of a text it is their mean; with `tokens` each word has its own. A word of none is nought, so that the first logit
    with an empty list, if there is one, stands for it.
    """
    config = tiny_config(labels=len(words))
    model = Classifier(token_head(config) if tokens else config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.zero_()
            if name.endswith("norm.weight"):
                weight.fill_(1)
        table = next(
            weight for name, weight in model.named_parameters() if tuple(weight.shape) == (len(VOCABULARY), 32)
        )
        for number, group in enumerate(words):
            for word in group:
                table[VOCABULARY.index(word), number] = 1
        if not tokens:
            first = model.encoder.layers[0].attention
            first.value.weight.copy_(torch.eye(32) * 9)
            first.output.weight.copy_(torch.eye(32))
            model.head.pooler.weight.copy_(torch.eye(32) / 4)
        for number, group in enumerate(words):
            if group:
                model.head.classifier.weight[number, number] = sure
            else:
                model.head.classifier.bias[number] = sure / 4
    return model.eval()


def save_stock(folder: Path, model: Classifier, task: Task, names: Mapping[int, str] | None = None) -> Path:
    """The model as a stock checkpoint whose `id2label` is `names`, or is left out."""
    write_checkpoint(model, task, folder)
    tiny_tokenizer(folder)
    return rename(folder, names)


def rename(folder: Path, names: Mapping[int, str] | None) -> Path:
    """Write other names, or none, into a checkpoint's configuration."""
    wanted = None if names is None else {str(number): name for number, name in names.items()}
    edit(folder / "config.json", id2label=wanted, label2id=None)
    return folder


def named(names: Sequence[str]) -> dict[int, str]:
    return dict(enumerate(names))
