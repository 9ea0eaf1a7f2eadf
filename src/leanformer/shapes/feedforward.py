"""Feed-forward blocks as plain data: their activations, and the cost of one unit."""

from __future__ import annotations

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")


def unit_flops(hidden: int, *, gated: bool) -> int:
    """Operations of one unit per token: its row of the input map (and of the gate), its column of the output map."""
    return 2 * (_rows(gated) + 1) * hidden


def unit_parameters(hidden: int, *, gated: bool, biases: bool) -> int:
    """Parameters of one unit; the bias of the output map is counted for none."""
    return (_rows(gated) + 1) * hidden + (_rows(gated) if biases else 0)


def _rows(gated: bool) -> int:
    return 2 if gated else 1
