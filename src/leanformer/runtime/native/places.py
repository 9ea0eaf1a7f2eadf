"""Positions inside the attention of an encoder's layers: relative biases, rotary angles, local windows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from leanformer.runtime.native.reader import STEP, Reader, UnsupportedGraphError, padded

_KIND = re.compile(r"(bias\d+)\.")


class LayerPlaces(NamedTuple):
    """Of one layer: the numbers of its tables, or -1, and the largest distance that its attention reaches, or -1."""

    bias: int = -1
    cosines: int = -1
    sines: int = -1
    window: int = -1


@dataclass
class Places:
    """The tables that layers share, as C++ reads them in place.

    Attributes:
        tables: biases `[heads, bias_width]`, by distance from -(positions - 1) on, with room for reading past the end;
            cosines and sines `[positions, half of a head, filled up]`.
        bias_width: floats in a row of biases; 0 without biases.
        positions: of the longest text for which there are biases and angles; None if there are neither.
    """

    r: Reader
    tables: list[np.ndarray] = field(default_factory=list)
    bias_width: int = 0
    positions: int | None = None
    _numbers: dict[str, int] = field(default_factory=dict)

    def of_layer(self, index: int, heads: int) -> LayerPlaces:
        """Raises `UnsupportedGraphError` for tables of another size than the layers need."""
        name, bias, window = f"layer{index}", -1, -1
        if kind := _KIND.match(self.r.node(f"{name}.masked_scores").inputs[1]):
            bias = self._bias(f"{kind[1]}.table", heads)
            window = self._window(f"{kind[1]}.window")
        turned: Mapping[str, int] = {}
        if f"{name}.k.cos" in self.r.made or f"{name}.qk.cos" in self.r.made:
            part = "k" if f"{name}.k.cos" in self.r.made else "qk"
            turned = {way: self._angles(self.r.node(f"{name}.{part}.{way}").inputs[1]) for way in ("cos", "sin")}
        return LayerPlaces(bias, turned.get("cos", -1), turned.get("sin", -1), window)

    def _window(self, name: str) -> int:
        if (value := self.r.get(name)) is None:
            return -1
        if value.size != 1 or value.dtype.kind != "i" or not 0 <= value.item() < 1 << 30:
            raise UnsupportedGraphError(f"its window {name} is {value.tolist()!r:.40}")
        return int(value.item())

    def _bias(self, name: str, heads: int) -> int:
        if (table := self.r.get(name)) is None:
            return -1
        if table.dtype != np.float32 or table.ndim != 2 or len(table) != heads or not table.shape[1] % 2:
            raise UnsupportedGraphError(f"its biases {name} are {list(table.shape)} of {table.dtype} for {heads} heads")
        self._reach((table.shape[1] + 1) // 2)
        width = padded(table.shape[1]) + STEP
        if self.bias_width not in (0, width):
            raise UnsupportedGraphError("its layers have relative biases for several lengths")
        self.bias_width = width
        return self._number(name, np.pad(table, ((0, 0), (0, width - table.shape[1]))))

    def _angles(self, value: str) -> int:
        name, half = f"{value}.table", self.r.head_size // 2
        table = self.r.need(name)
        if table.dtype != np.float32 or table.ndim != 2 or 2 * table.shape[1] != self.r.head_size:
            raise UnsupportedGraphError(f"its angles {name} are {list(table.shape)}, not [positions, {half}]")
        self._reach(len(table))
        return self._number(name, self.r.filled(table, 1))

    def _reach(self, positions: int) -> None:
        if self.positions not in (None, positions):
            raise UnsupportedGraphError("its biases and angles are for several numbers of positions")
        self.positions = positions

    def _number(self, name: str, table: np.ndarray) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self.tables)
            self.tables.append(np.ascontiguousarray(table))
        return self._numbers[name]
