"""The shape of a classification head, as plain data; part of `encoder.json`."""

from __future__ import annotations

from dataclasses import dataclass

from leanformer.errors import CheckpointError
from leanformer.schema import fields, nullable, number, text, truth
from leanformer.shapes.feedforward import ACTIVATIONS

HEAD_ACTIVATIONS = ("tanh", *ACTIVATIONS, "none")
POOLINGS = ("first", "mean", "max", "none")
HEAD = fields(
    {},
    {
        "pooling": text(100), "activation": text(100), "bias": truth, "norm": truth,
        "dropout": nullable(number(0, 1)), "drops_input": truth,
    },
    others=False,
)  # fmt: skip
"""What it must look like in a file."""


@dataclass(frozen=True)
class HeadShape:
    """How hidden states become logits: pooling, a dense layer, an activation, an optional norm, the logits.

    Attributes:
        pooling: "first" reads only the first token, "mean" averages the real tokens, "max" takes the largest entry of
            each column; "none" gives logits for every token, without a dense layer, activation or norm.
        activation: after the dense layer, one of `HEAD_ACTIVATIONS`; "none" is a head without any layer, whose output
            is the pooled vector itself.
        bias: whether the dense layer has a bias (the logits always have one).
        norm: whether a LayerNorm follows the activation.
        dropout: used in training only; None takes the encoder's.
        drops_input: whether there is dropout before the dense layer too.
    """

    pooling: str = "first"
    activation: str = "tanh"
    bias: bool = True
    norm: bool = False
    dropout: float | None = None
    drops_input: bool = False

    def __post_init__(self) -> None:
        if self.activation not in HEAD_ACTIVATIONS or self.pooling not in POOLINGS:
            raise CheckpointError(
                f"unknown head: activation {self.activation!r} (one of {', '.join(HEAD_ACTIVATIONS)}), pooling "
                f"{self.pooling!r} (one of {', '.join(POOLINGS)})"
            )

    @property
    def gives_vectors(self) -> bool:
        """Whether the head consists of pooling alone."""
        return self.activation == "none"
