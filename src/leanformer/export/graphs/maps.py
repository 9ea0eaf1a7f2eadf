"""Linear maps, norms and activations of our modules as graph nodes, used by all parts of a model."""

from __future__ import annotations

import numpy as np
from torch import nn

from leanformer.export.graphs.graph import Graph, array

ACTIVATION_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "gelu": "Gelu", "gelu_tanh": "Gelu"}
Map = tuple[np.ndarray, np.ndarray | None]


def activation_nodes(g: Graph, x: str, kind: str, name: str) -> str:
    """Apply one of `ACTIVATIONS`, or tanh."""
    if ACTIVATION_OPERATORS[kind] == "Gelu":
        return str(g.node("Gelu", [x], name, approximate="tanh" if kind == "gelu_tanh" else "none"))
    return str(g.node(ACTIVATION_OPERATORS[kind], [x], name))


def norm_nodes(g: Graph, x: str, norm: nn.Module, name: str) -> str:
    """A LayerNorm with the weights of `norm`."""
    assert isinstance(norm, nn.LayerNorm)
    return g.norm(x, array(norm.weight), None if norm.bias is None else array(norm.bias), norm.eps, name)


def linear_map(linear: nn.Linear) -> Map:
    """Weight `[out, in]` and bias `[out]`, if there is one."""
    return array(linear.weight), None if linear.bias is None else array(linear.bias)


def stacked(*maps: Map) -> Map:
    """Several linear maps of the same input, combined into one."""
    biases = [bias for _, bias in maps if bias is not None]
    return np.concatenate([weight for weight, _ in maps]), np.concatenate(biases) if biases else None
