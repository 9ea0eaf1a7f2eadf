"""Position-dependent parts as graph nodes: padding, local windows, relative biases, rotary angles.

Layers share common nodes, and nodes that no layer needs are not created.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx

from leanformer.export.graphs.graph import Graph, array
from leanformer.models.attention.bias import bucket_of_distances
from leanformer.models.attention.rotary import rotary_tables
from leanformer.models.classifier import Classifier
from leanformer.shapes.encoder import EncoderConfig, LayerShape

# Added to the scores of masked keys; exp of it is exactly zero in fp32.
MASKED = -1e9


def mask_nodes(g: Graph) -> str:
    """Convert `attention_mask` `[B, S]` to the bias added to scores, `[B, 1, 1, S]`."""
    mask = g.node("Cast", ["attention_mask"], "mask.float", to=onnx.TensorProto.FLOAT)
    mask = g.node("Sub", [g.constant("one", np.array(1, np.float32)), mask], "mask.padded")
    mask = g.node("Mul", [mask, g.constant("masked", np.array(MASKED, np.float32))], "mask.bias")
    return str(g.node("Unsqueeze", [mask, g.integers(1, 2)], "mask"))


class Positions:
    """Creates the biases and angles of the layers of one graph; repeated calls return the same value."""

    def __init__(self, g: Graph, model: Classifier) -> None:
        self.g, self.model, self.config = g, model, model.config
        self._made: dict[str, str] = {}
        self._mask = self._mask_nodes()

    def _mask_nodes(self) -> str:
        return mask_nodes(self.g)

    def first(self, x: str, name: str) -> str:
        """The first token of every row of `x` `[B, S, H]`, `[B, 1, H]`."""
        g = self.g
        return str(g.node("Slice", [x, g.integers(0), g.integers(1), g.integers(1)], name))

    def bias(self, shape: LayerShape, *, first_token_only: bool) -> str:
        """The bias added to a layer's scores, for all queries or only for the first one."""
        if self.config.relative_bias is None and shape.window is None:
            return self._mask
        name = f"bias{_kinds(self.config).index((shape.window, shape.bias_columns))}"
        if name not in self._made:
            self._made[name] = self._bias(shape, name)
        if not first_token_only:
            return self._made[name]
        g = self.g
        inputs = [self._made[name], g.integers(0), g.integers(1), g.integers(2)]
        return str(g.node("Slice", inputs, f"{name}.first_token"))

    def _bias(self, shape: LayerShape, name: str) -> str:
        g, bias = self.g, self._mask
        relative = self.model.encoder.bias.relative
        if relative is not None and self.config.relative_bias is not None:
            rows = bucket_of_distances(self.config.positions, self.config.relative_bias)
            by_distance = array(relative.weight)[rows.numpy()].T  # [heads, 2 * positions - 1]
            if shape.bias_columns is not None:
                by_distance = by_distance[list(shape.bias_columns)]
            table = g.constant(f"{name}.table", by_distance)
            found = g.node("Gather", [table, self._distance_rows()], f"{name}.relative", axis=1)
            bias = g.node("Add", [bias, found], f"{name}.with_relative")
        if shape.window is not None:
            edge = g.constant(f"{name}.window", np.array(shape.window, np.int64))
            outside = g.node("Greater", [self._far(), edge], f"{name}.outside")
            outside = g.node("Cast", [outside], f"{name}.outside.float", to=onnx.TensorProto.FLOAT)
            outside = g.node("Mul", [outside, self._masked()], f"{name}.outside.bias")
            bias = g.node("Add", [bias, outside], f"{name}.with_window")
        return str(bias)

    def rotated(self, x: str, base: float, name: str) -> str:
        """`x` `[B, heads, S, D]` with rotated pairs of entries: x * cos + (x with its halves swapped) * (-sin, sin)."""
        g, (cos, sin) = self.g, self._angles(base)
        left, right = g.node("Split", [x], f"{name}.halves", outputs=2, axis=-1, num_outputs=2)
        swapped = g.node("Concat", [right, left], f"{name}.swapped", axis=-1)
        turned = g.node("Mul", [swapped, sin], f"{name}.sin")
        return str(g.node("Add", [g.node("Mul", [x, cos], f"{name}.cos"), turned], f"{name}.rotated"))

    def _angles(self, base: float) -> tuple[str, str]:
        """Cosines and signed sines `[S, D]`, doubled from tables of half that width."""
        name = f"angles{_bases(self.config).index(base)}"
        if name not in self._made:
            g, length, doubled = self.g, self._length(), {}
            for part, values in zip(
                ("cos", "sin"), rotary_tables(base, self.config.head_size, self.config.positions), strict=True
            ):
                table = g.constant(f"{name}.{part}.table", array(values))
                half = g.node("Slice", [table, g.integers(0), length, g.integers(0)], f"{name}.{part}.half")
                first = half if part == "cos" else g.node("Neg", [half], f"{name}.{part}.negative")
                doubled[part] = g.node("Concat", [first, half], f"{name}.{part}", axis=-1)
            self._made[name] = name
        return f"{name}.cos", f"{name}.sin"

    def _masked(self) -> str:
        return self.g.constant("masked", np.array(MASKED, np.float32))

    def _length(self) -> str:
        """The number of tokens `[1]`; if there is a position table, the embeddings have already created it."""
        if not self.config.position_table and "length" not in self._made:
            self._made["length"] = self.g.node("Shape", ["input_ids"], "length", start=1, end=2)
        return "length"

    def _distances(self) -> str:
        """Key index minus query index, `[S, S]`."""
        if "distances" not in self._made:
            g = self.g
            count = g.node("Squeeze", [self._length(), g.integers(0)], "length.scalar")
            zero, one = g.constant("zero.index", np.array(0, np.int64)), g.constant("one.index", np.array(1, np.int64))
            place = g.node("Range", [zero, count, one], "place")
            keys = g.node("Unsqueeze", [place, g.integers(0)], "place.keys")
            queries = g.node("Unsqueeze", [place, g.integers(1)], "place.queries")
            self._made["distances"] = g.node("Sub", [keys, queries], "distances")
        return self._made["distances"]

    def _distance_rows(self) -> str:
        """The rows of the distances `[S, S]` in a table by distance: shifted so that the smallest is 0."""
        if "rows" not in self._made:
            shift = self.g.constant("distances.shift", np.array(self.config.positions - 1, np.int64))
            self._made["rows"] = self.g.node("Add", [self._distances(), shift], "distances.rows")
        return self._made["rows"]

    def _far(self) -> str:
        if "far" not in self._made:
            self._made["far"] = self.g.node("Abs", [self._distances()], "distances.absolute")
        return self._made["far"]


def _kinds(config: EncoderConfig) -> list[tuple[int | None, tuple[int, ...] | None]]:
    """The kinds of biases other than plain padding, in the order in which layers need them."""
    kinds = [(layer.window, layer.bias_columns) for layer in config.layers]
    return [kind for kind in dict.fromkeys(kinds) if config.relative_bias is not None or kind[0] is not None]


def _bases(config: EncoderConfig) -> list[float]:
    return list(dict.fromkeys(layer.rotary_base for layer in config.layers if layer.rotary_base is not None))


def position_operators(config: EncoderConfig, *, first_token_only: bool) -> Counter[str]:
    """How many nodes `Positions` creates; `first_token_only` is that of the last layer."""
    counts = Counter({"Cast": 1, "Sub": 1, "Mul": 1, "Unsqueeze": 1})
    kinds, bases, last = _kinds(config), _bases(config), config.layers[-1]
    windows = sum(window is not None for window, _ in kinds)
    if kinds:
        counts.update({"Squeeze": 1, "Range": 1, "Unsqueeze": 2, "Sub": 1})
    if config.relative_bias is not None:
        counts.update({"Add": 1 + len(kinds), "Gather": len(kinds)})
    if windows:
        counts.update({"Abs": 1, "Greater": windows, "Cast": windows, "Mul": windows, "Add": windows})
    if first_token_only and (last.window, last.bias_columns) in kinds:
        counts.update({"Slice": 1})
    if (kinds or bases) and not config.position_table:
        counts.update({"Shape": 1})
    counts.update({"Slice": 2 * len(bases), "Concat": 2 * len(bases), "Neg": len(bases)})
    rotary = sum(layer.rotary_base is not None for layer in config.layers)
    counts.update({"Split": rotary, "Concat": rotary, "Mul": 2 * rotary, "Add": rotary})
    return counts
