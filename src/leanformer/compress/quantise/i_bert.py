"""I-BERT: GELU, exponential, softmax, square root and layer norm by whole numbers alone.

Paper: Kim et al. 2021 (arXiv 2101.01321), algorithms 1 to 4. A value is a whole number times a scale; polynomials of
the second degree are evaluated on whole numbers. The paper's scales are known beforehand; those of `integer_model` are
each batch's own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# a (x + b)^2 + c: of the error function, and of the exponential on (-ln 2, 0].
ERF = (-0.2888, -1.769, 1.0)
EXP = (0.35815147, 1.353664, 0.343717)


def whole(x: Tensor, bits: int = 8) -> tuple[Tensor, float]:
    """The whole numbers, float64, and the scale of a tensor on a symmetric grid up to its largest value."""
    scale = max(float(x.abs().max()), 1e-12) / (2 ** (bits - 1) - 1)
    return (x.double() / scale).round(), scale


def polynomial(q: Tensor, scale: float, factors: tuple[float, float, float]) -> tuple[Tensor, float]:
    """a (x + b)^2 + c for x = q scale: whole numbers and their scale."""
    a, b, c = factors
    scale_out = a * scale * scale
    return (q + math.floor(b / scale)).square() + math.floor(c / scale_out), scale_out


def gelu(q: Tensor, scale: float) -> tuple[Tensor, float]:
    """x / 2 (1 + erf(x / sqrt 2)), with the polynomial on the magnitude up to 1.769 and constant beyond."""
    inner = scale / math.sqrt(2)
    end = math.floor(-ERF[1] / inner)
    poly, poly_scale = polynomial(q.abs().clamp(max=end), inner, ERF)
    unit = math.floor(1 / poly_scale)
    return q * (q.sign() * poly + unit), scale * poly_scale / 2


def exponential(q: Tensor, scale: float) -> tuple[Tensor, float]:
    """exp(x) for x <= 0: a polynomial on the rest of a division by ln 2, shifted right by the quotient."""
    ln2 = math.floor(math.log(2) / scale)
    z = (-q / ln2).floor()
    poly, poly_scale = polynomial(q + z * ln2, scale, EXP)
    # A few more bits are kept, so that the shift does not lose all of them.
    return (poly * 2.0**8 / 2.0**z).floor(), poly_scale / 2**8


def softmax(q: Tensor, scale: float, bits: int = 16) -> tuple[Tensor, float]:
    """The softmax over the last dimension, in units of 2^-bits."""
    found, _ = exponential(q - q.amax(dim=-1, keepdim=True), scale)
    return (found * 2**bits / found.sum(dim=-1, keepdim=True)).floor(), 2.0**-bits


def root(n: Tensor, rounds: int = 40) -> Tensor:
    """The whole part of the square root of whole numbers, by Newton's method on whole numbers."""
    x = torch.where(n > 0, 2.0 ** torch.ceil(torch.log2(n.clamp(min=1) + 1) / 2), torch.zeros_like(n))
    for _ in range(rounds):
        following = torch.where(x > 0, ((x + (n / x.clamp(min=1)).floor()) / 2).floor(), x)
        x = torch.where(following < x, following, x)
    return x


def layer_norm(q: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The norm over the last dimension; the scale of the input falls out. The result is a number times 2^-10."""
    centred = q - q.mean(dim=-1, keepdim=True).round()
    deviation = root(centred.square().mean(dim=-1, keepdim=True).floor()).clamp(min=1)
    normed = (centred * 2**10 / deviation).floor() / 2**10
    return (normed * weight + bias).to(weight.dtype)
