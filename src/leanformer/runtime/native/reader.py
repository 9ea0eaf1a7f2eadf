"""Takes the constants of a graph for the native engine, and notes which ones, so that none is left unread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from leanformer.runtime.onnx_file import Node, OnnxFile

STEP = 16
"""All widths are filled up to a multiple of this with zeros."""
_FUNCTIONS = {"": 0, "Gelu": 1, "Gelu tanh": 2, "Relu": 3, "Tanh": 4}


class UnsupportedGraphError(ValueError):
    """The graph computes something that the engine does not support."""


@dataclass
class Reader:
    """Takes constants out of a graph by name and records which ones."""

    GELU: ClassVar[int] = _FUNCTIONS["Gelu"]

    graph: OnnxFile
    head_size: int
    arrays: list[np.ndarray | None] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.made = {name: node for node in self.graph.nodes for name in node.outputs}

    def get(self, name: str) -> np.ndarray | None:
        self.used.add(name)
        return self.graph.constants.get(name)

    def node(self, name: str) -> Node:
        """The node that computes a value."""
        if name not in self.made:
            raise UnsupportedGraphError(f"it computes no {name!r}")
        return self.made[name]

    def need(self, name: str) -> np.ndarray:
        value = self.get(name)
        if value is None:
            raise UnsupportedGraphError(f"it has no constant {name!r}")
        return value

    def linear(
        self, name: str, width_in: int, width_out: int, in_heads: int | None = None, out_heads: int | None = None
    ) -> None:
        """A map of these widths, int8 with a scale per column; sizes are checked, as C++ might read past the end.

        With a number of heads, that side is a row of heads, each of which is padded.
        """
        weight, scale = self.get(f"{name}.weight.int8"), self.get(f"{name}.weight.scales")
        self.used.add(f"{name}.weight.zero")
        if weight is None:  # names given by ONNX Runtime's quantiser
            weight, scale = self.get(f"{name}.weight_quantized"), self.get(f"{name}.weight_scale")
            zero = self.get(f"{name}.weight_zero_point")
            if zero is not None and zero.any():
                raise UnsupportedGraphError(f"the weights of {name} are not symmetric")
        if weight is None or scale is None or weight.dtype != np.int8:
            raise UnsupportedGraphError(f"{name} is not in int8")
        bias = self.get(f"{name}.bias")
        if weight.shape != (width_in, width_out) or scale.size not in (1, width_out):
            raise UnsupportedGraphError(
                f"{name} is {list(weight.shape)}, not [{width_in}, {width_out}] as in the manifest"
            )
        if bias is not None and bias.shape != (width_out,):
            raise UnsupportedGraphError(f"the bias of {name} is {list(bias.shape)}, not [{width_out}]")
        if weight.min(initial=0) < -127:
            raise UnsupportedGraphError(f"{name} has a weight of -128")
        columns = np.broadcast_to(scale.reshape(-1), (width_out,))
        bias = np.zeros(width_out, np.float32) if bias is None else bias
        self.arrays += [
            self.filled(self.filled(weight, 0, in_heads), 1, out_heads),
            self.filled(columns.astype(np.float32), 0, out_heads),
            self.filled(bias.astype(np.float32), 0, out_heads),
        ]

    def norm(self, name: str, width: int) -> None:
        weight = self.need(f"{name}.weight")
        bias = self.get(f"{name}.bias")
        if weight.shape != (width,) or (bias is not None and bias.shape != (width,)):
            raise UnsupportedGraphError(f"the norm {name} is not {width} wide")
        for parameter in (weight, np.zeros_like(weight) if bias is None else bias):
            self.arrays.append(self.filled(parameter.astype(np.float32), 0))

    def filled(self, value: np.ndarray, axis: int, heads: int | None = None) -> np.ndarray:
        """Pad with zeros after each head, or at the end, to a multiple of STEP."""
        value = np.moveaxis(value, axis, -1)
        groups = value.reshape(*value.shape[:-1], heads or 1, -1)
        wide = np.zeros((*groups.shape[:-1], padded(groups.shape[-1])), value.dtype)
        wide[..., : groups.shape[-1]] = groups
        return np.ascontiguousarray(np.moveaxis(wide.reshape(*value.shape[:-1], -1), -1, axis))

    def function(self, name: str) -> int:
        node = self.made.get(name)
        kind = "" if node is None else node.operator
        if node is not None and node.attributes.get("approximate") == "tanh":
            kind += " tanh"
        if kind not in _FUNCTIONS or not kind:
            raise UnsupportedGraphError(f"it computes {kind or 'nothing'} where an activation is expected ({name})")
        return _FUNCTIONS[kind]

    def count(self, operator: str) -> int:
        """How many nodes compute it."""
        return sum(node.operator == operator for node in self.graph.nodes)

    @property
    def bends(self) -> int:
        """How many activation functions the graph has."""
        return sum(self.count(kind) for kind in {name.split(" ")[0] for name in _FUNCTIONS if name})


def padded(width: int) -> int:
    return -(-width // STEP) * STEP


def check_rest(graph: OnnxFile, r: Reader, operators: set[str]) -> None:
    """Raise `UnsupportedGraphError` for unused constants that are not small, and for operators not in `operators`."""
    small = {name for name, value in graph.constants.items() if value.size <= 4}
    rest = sorted(set(graph.constants) - r.used - small)
    if rest:
        raise UnsupportedGraphError(f"it also has {', '.join(rest[:3])}")
    strange = sorted({node.operator for node in graph.nodes} - operators)
    if strange:
        raise UnsupportedGraphError(f"it also computes {', '.join(strange)}")
