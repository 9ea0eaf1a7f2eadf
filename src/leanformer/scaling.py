"""How many parameters and tokens a budget of compute is best spent on: scaling laws, as calculators.

A model of N parameters, embeddings apart, costs about 6 N operations a token to train and 2 N to run (Kaplan et al.
2020, arXiv 2001.08361, section 2.1; attention between tokens is left out, which short texts allow). The laws are fits
to decoders on English web text; they say little of what a fine-tuned encoder answers, and less far outside their range.

    Hoffmann et al. 2022, arXiv 2203.15556, approach 3: L(N, D) = E + A / N^alpha + B / D^beta, with the constants as
        published, which are rounded (they advise a fifth fewer parameters at 6e23 operations than the paper's table)
    Besiroglu et al. 2024, arXiv 2404.10102: the same form, fitted again to the data of the former
    Kaplan et al. 2020, equations 1.5 and 6.1
    Sardana and Frankle 2024, arXiv 2401.00448: training and inference together
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

TRAINING_FLOPS, INFERENCE_FLOPS = 6, 2  # per parameter and token
# Weights, gradients and both moments of AdamW, in fp32.
TRAINING_BYTES = 16
_PF_DAY = 8.64e19
_HALVINGS = 200


@dataclass(frozen=True)
class Size:
    """A model of `parameters`, embeddings apart, trained on `tokens`."""

    parameters: float
    tokens: float

    @property
    def training_flops(self) -> float:
        return TRAINING_FLOPS * self.parameters * self.tokens


@dataclass(frozen=True)
class ParametricLaw:
    """L(N, D) = E + A / N^alpha + B / D^beta, in nats a token.

    Attributes:
        name: of its paper.
        smallest, largest: parameters of the models that it was fitted to.
    """

    name: str
    smallest: float
    largest: float
    irreducible: float
    a: float
    alpha: float
    b: float
    beta: float

    def loss(self, size: Size) -> float:
        """Nats a token."""
        return float(self.irreducible + self.a / size.parameters**self.alpha + self.b / size.tokens**self.beta)

    def optimal(self, flops: float) -> Size:
        """The least loss for so many operations of training."""
        budget, both = flops / TRAINING_FLOPS, self.alpha + self.beta
        ratio = (self.alpha * self.a / (self.beta * self.b)) ** (1 / both)
        return Size(ratio * budget ** (self.beta / both), budget ** (self.alpha / both) / ratio)

    def tokens(self, parameters: float, loss: float) -> float:
        """How many a model of this size needs for this loss; infinite if it never gets there."""
        left = loss - self.irreducible - self.a / parameters**self.alpha
        return float((self.b / left) ** (1 / self.beta)) if left > 0 else math.inf


@dataclass(frozen=True)
class KaplanLaw:
    """L(N, D) = ((Nc / N)^(alpha_N / alpha_D) + Dc / D)^alpha_D; N at best = 1.3e9 C^0.73, C in petaFLOP/s-days.

    Attributes as those of `ParametricLaw`.
    """

    name: str = "Kaplan 2020"
    smallest: float = 768
    largest: float = 1.5e9
    alpha_n: float = 0.076
    alpha_d: float = 0.103
    n_c: float = 6.4e13
    d_c: float = 1.8e13

    def loss(self, size: Size) -> float:
        """Nats a token."""
        return float((self._of_parameters(size.parameters) + self.d_c / size.tokens) ** self.alpha_d)

    def optimal(self, flops: float) -> Size:
        """What they advise for so many operations of training."""
        parameters = 1.3e9 * (flops / _PF_DAY) ** 0.73
        return Size(parameters, flops / TRAINING_FLOPS / parameters)

    def tokens(self, parameters: float, loss: float) -> float:
        """How many a model of this size needs for this loss; infinite if it never gets there."""
        left = loss ** (1 / self.alpha_d) - self._of_parameters(parameters)
        return self.d_c / left if left > 0 else math.inf

    def _of_parameters(self, parameters: float) -> float:
        return float((self.n_c / parameters) ** (self.alpha_n / self.alpha_d))


ScalingLaw: TypeAlias = ParametricLaw | KaplanLaw
LAWS: tuple[ScalingLaw, ...] = (
    ParametricLaw("Hoffmann 2022", 4.4e7, 1.6e10, 1.69, 406.4, 0.34, 410.7, 0.28),
    ParametricLaw("Besiroglu 2024", 4.4e7, 1.6e10, 1.8172, 482.01, 0.3478, 2085.43, 0.3658),
    KaplanLaw(),
)


def cheapest(law: ScalingLaw, loss: float, answered: float) -> Size:
    """The model that reaches a loss for the least operations of training and of answering `answered` tokens together.

    Raises `ValueError` if no size reaches it.
    """

    def cost(log_parameters: float) -> float:
        parameters = math.exp(log_parameters)
        return parameters * (TRAINING_FLOPS * law.tokens(parameters, loss) + INFERENCE_FLOPS * answered)

    # Below the smallest size that ever gets there the cost is infinite, above it has one minimum.
    least = _border(lambda log_parameters: math.isfinite(cost(log_parameters)), 0.0, math.log(1e18))
    low, high = least, least + math.log(1e6)
    for _ in range(_HALVINGS):
        third = (high - low) / 3
        low, high = (low, high - third) if cost(low + third) <= cost(high - third) else (low + third, high)
    parameters = math.exp(high)
    return Size(parameters, law.tokens(parameters, loss))


def _border(reached: Callable[[float], bool], low: float, high: float) -> float:
    if not reached(high):
        raise ValueError("no model reaches this loss")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
