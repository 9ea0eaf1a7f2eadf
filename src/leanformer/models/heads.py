"""Heads on top of an encoder, and the head for each answer form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from leanformer.answers.form import FormTable
from leanformer.models.dropout import Dropout
from leanformer.models.encoder import norm
from leanformer.models.feedforward.dense import activate
from leanformer.shapes.encoder import EncoderConfig
from leanformer.shapes.head import HeadShape


class PooledHead(nn.Module):
    """One vector per text, mapped by a dense layer ("pooler") and an activation to the logits.

    BERT's head is: first token, dense, tanh, dropout, logits. Other families vary it (`HeadShape`).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.shape = config.head
        self.pooler = nn.Linear(config.hidden, config.hidden, bias=self.shape.bias)
        self.norm = norm(config, config.hidden) if self.shape.norm else None
        self.dropout = Dropout(config.dropout if self.shape.dropout is None else self.shape.dropout)
        self.classifier = nn.Linear(config.hidden, config.labels)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """`[B, S, H]` with mask `[B, S]` to `[B, labels]`."""
        pooled = pool(hidden, mask, self.shape.pooling)
        if self.shape.drops_input:
            pooled = self.dropout(pooled)
        pooled = activate(self.pooler(pooled), self.shape.activation)
        return self.classifier(self.dropout(pooled if self.norm is None else self.norm(pooled)))


class TokenHead(nn.Module):
    """Logits for every token: dropout and a linear map, as in the families' stock token classifiers."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dropout = Dropout(config.dropout if config.head.dropout is None else config.head.dropout)
        self.classifier = nn.Linear(config.hidden, config.labels)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """`[B, S, H]` to `[B, S, labels]`; outputs at padding are meaningless."""
        return self.classifier(self.dropout(hidden))


class VectorHead(nn.Module):
    """One vector per text without further layers: a sentence encoder (Reimers and Gurevych 2019)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.shape = config.head

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """`[B, S, H]` with mask `[B, S]` to `[B, H]`."""
        return pool(hidden, mask, self.shape.pooling)


def vector_head(config: EncoderConfig, pooling: str) -> EncoderConfig:
    """The same encoder with a head that returns vectors; `pooling` is "first", "mean" or "max"."""
    return replace(config, labels=config.hidden, head=HeadShape(pooling=pooling, activation="none"))


def token_head(config: EncoderConfig) -> EncoderConfig:
    """The same encoder with a token head."""
    return replace(config, head=HeadShape(pooling="none", dropout=config.head.dropout))


def pool(hidden: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """One vector per text `[B, H]`: the first token of `[B, S, H]`, or the mean or largest entries of the real ones."""
    if pooling == "max":
        return hidden.masked_fill(~mask.bool()[..., None], -torch.inf).amax(dim=1)
    return hidden[:, 0] if pooling == "first" else masked_mean(hidden, mask)


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean `[B, H]` over the real tokens of `[B, S, H]`."""
    real = mask.to(hidden.dtype)
    return (hidden * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)


def make_head(config: EncoderConfig) -> PooledHead | TokenHead | VectorHead:
    """The head described by the configuration, randomly initialised."""
    if config.head.gives_vectors:
        return VectorHead(config)
    return TokenHead(config) if config.head.pooling == "none" else PooledHead(config)


def pooled_head(config: EncoderConfig) -> EncoderConfig:
    """The same encoder with BERT's sequence classification head."""
    return replace(config, head=HeadShape(dropout=config.head.dropout))


def _is_pooled(head: HeadShape) -> bool:
    return head.pooling != "none" and not head.gives_vectors


@dataclass(frozen=True)
class HeadOf:
    """The head of an answer form: whether a head shape `fits`, and a function that adds a `fresh` one."""

    fits: Callable[[HeadShape], bool]
    fresh: Callable[[EncoderConfig], EncoderConfig]


HEADS: FormTable[HeadOf] = FormTable(
    "leanformer/models/heads.py",
    {
        "label": HeadOf(_is_pooled, pooled_head),
        "labels": HeadOf(_is_pooled, pooled_head),
        "score": HeadOf(_is_pooled, pooled_head),
        "choice": HeadOf(_is_pooled, pooled_head),
        "tags": HeadOf(lambda head: head.pooling == "none", token_head),
        "span": HeadOf(lambda head: head.pooling == "none", token_head),
        # A pooled head maps a student's vectors to the width of its teacher's.
        "vector": HeadOf(lambda head: head.pooling != "none", lambda config: vector_head(config, "mean")),
    },
)
