"""An encoder with a classification head, for texts or for their tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn

from leanformer.models.dropout import Dropout
from leanformer.models.encoder import Encoder, EncoderOutput, norm
from leanformer.models.feedforward.dense import activate
from leanformer.shapes.encoder import EncoderConfig
from leanformer.shapes.head import HeadShape


@dataclass(frozen=True)
class ClassifierOutput:
    """Logits `[B, labels]`, or of a head that does not pool `[B, S, labels]`, and what the encoder computed."""

    logits: Tensor
    encoded: EncoderOutput


class PooledHead(nn.Module):
    """One vector per text through a dense layer ("pooler") and an activation to the logits.

    BERT's head is the first token, dense, tanh, dropout, logits; the others vary it (`HeadShape`).
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
        pooled = hidden[:, 0] if self.shape.pooling == "first" else masked_mean(hidden, mask)
        if self.shape.drops_input:
            pooled = self.dropout(pooled)
        pooled = activate(self.pooler(pooled), self.shape.activation)
        return self.classifier(self.dropout(pooled if self.norm is None else self.norm(pooled)))


class TokenHead(nn.Module):
    """Every token's own logits: dropout and a linear map, as the families' stock token classifiers have it."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dropout = Dropout(config.dropout if config.head.dropout is None else config.head.dropout)
        self.classifier = nn.Linear(config.hidden, config.labels)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """`[B, S, H]` to `[B, S, labels]`; what padding gets means nothing."""
        return self.classifier(self.dropout(hidden))


class VectorHead(nn.Module):
    """One vector per text, and nothing behind it: a sentence encoder (Reimers and Gurevych 2019)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.shape = config.head

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """`[B, S, H]` with mask `[B, S]` to `[B, H]`."""
        return hidden[:, 0] if self.shape.pooling == "first" else masked_mean(hidden, mask)


def vector_head(config: EncoderConfig, pooling: str) -> EncoderConfig:
    """The same encoder with vectors for answers; `pooling` is "first" or "mean"."""
    return replace(config, labels=config.hidden, head=HeadShape(pooling=pooling, activation="none"))


def token_head(config: EncoderConfig) -> EncoderConfig:
    """The same encoder with a head for tokens."""
    return replace(config, head=HeadShape(pooling="none", dropout=config.head.dropout))


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean `[B, H]` of the real tokens of `[B, S, H]`."""
    real = mask.to(hidden.dtype)
    return (hidden * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)


def _head(config: EncoderConfig) -> PooledHead | TokenHead | VectorHead:
    if config.head.gives_vectors:
        return VectorHead(config)
    return TokenHead(config) if config.head.pooling == "none" else PooledHead(config)


class Classifier(nn.Module):
    """A sequence or token classifier, weights drawn as BERT draws them: normal, deviation 0.02; biases zero."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.head = _head(config)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
                if module.padding_idx is not None:
                    nn.init.zeros_(module.weight[module.padding_idx].detach())

    def forward(self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None) -> Tensor:
        """Logits `[B, labels]`, or `[B, S, labels]`, of ids `[B, S]` with mask `[B, S]`."""
        return self.outputs(ids, mask, token_types).logits

    def outputs(
        self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None, *, with_attentions: bool = False
    ) -> ClassifierOutput:
        """Logits with hidden states and, if asked for, attention probabilities.

        A model with one token type alone makes no difference between them, whatever the tokenizer says.
        """
        token_types = token_types if self.config.token_types > 1 else None
        encoded = self.encoder(ids, mask, token_types, with_attentions=with_attentions)
        return ClassifierOutput(self.head(encoded.last, mask), encoded)


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Number of parameters: all of them, and those outside embedding tables."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_without_embeddings": sum(p.numel() for p in model.parameters() if id(p) not in tables),
    }
