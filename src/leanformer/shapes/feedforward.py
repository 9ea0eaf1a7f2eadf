"""Feed-forward blocks as plain data: their activations, and what one unit costs."""

from __future__ import annotations

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")


def unit_flops(hidden: int, *, gated: bool) -> int:
    """Operations of one unit for one token: its row of the map in, and of a gate, and its column of the map out."""
    return 2 * (_rows(gated) + 1) * hidden


def unit_parameters(hidden: int, *, gated: bool, biases: bool) -> int:
    """Parameters of one unit; the bias of the map out belongs to none."""
    return (_rows(gated) + 1) * hidden + (_rows(gated) if biases else 0)


def _rows(gated: bool) -> int:
    return 2 if gated else 1
