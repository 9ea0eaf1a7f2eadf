"""Our classifier as an ONNX graph over packs: sequences concatenated in lines of equal length, with little padding.

The inputs, all int64, of a pack of G lines of L tokens with R sequences in all:

    ids        [G, L]   token ids; a line holds one sequence or several, one after the other
        positions  [G, L]   position of each token in its own sequence, from 0
    segments   [G, L]   number of the sequence that each token belongs to, -1 for none
        first      [R]      index of each sequence's first token, counted through all lines
        types      [G, L]   token types, only in graphs for pairs of texts

    The output `logits` is `[R, labels]`; for a tagger it is `[G, L, labels]`, and there is no `first`.

    A token attends to the tokens of its own segment, which are all in one line, so attention costs G L^2 and not the
    square of the whole pack. Except for the embeddings, the masks and the selection of the tokens that the head reads,
    the graph equals that of `encoder_graph`, node by node and with the same names. `padded_graph` therefore converts
    one to the other by exchanging those few nodes, even if the linear maps have been quantised.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import TensorProto, helper

from leanformer.export.graphs.encoder_graph import (
    expected_operators,
    head_nodes,
    layer_nodes,
    position_nodes,
)
from leanformer.export.graphs.graph import Graph, array
from leanformer.export.graphs.maps import linear_map, norm_nodes
from leanformer.export.graphs.position_graph import MASKED, Positions, mask_nodes
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.shapes.encoder import EncoderConfig, LayerShape

INPUTS = ("ids", "positions", "segments", "first")
TYPES = "types"
# Nodes that depend on packing, except for the two that select what the head reads.
_PACK = "pack."


def can_pack(config: EncoderConfig) -> bool:
    """Whether such a model has a graph over packs: positions are looked up by number, norms follow the residual sums,
    and the head reads the first token or every token, or returns the mean of all.
    """
    head = config.head.pooling not in ("mean", "max") or (config.head.pooling == "mean" and config.head.gives_vectors)
    return config.places_by_table_alone and not config.norm_first and head


class _Segments(Positions):
    """The attention pattern of a pack: a token attends to the tokens of its own segment."""

    def _mask_nodes(self) -> str:
        g = self.g
        of_query = g.node("Unsqueeze", ["segments", g.integers(2)], f"{_PACK}of_query")
        of_key = g.node("Unsqueeze", ["segments", g.integers(1)], f"{_PACK}of_key")
        return self._same(of_query, of_key, (1,), "mask")

    def _same(self, queries: str, keys: str, axes: tuple[int, ...], name: str) -> str:
        """Zero where query and key have the same segment."""
        g = self.g
        zero, masked = (
            g.constant(f"{_PACK}{k}", np.array(v, np.float32)) for k, v in (("zero", 0), ("masked", MASKED))
        )
        same = g.node("Equal", [queries, keys], f"{_PACK}same_{name}")
        bias = g.node("Where", [same, zero, masked], f"{_PACK}bias_{name}")
        return str(g.node("Unsqueeze", [bias, g.integers(*axes)], name))

    def bias(self, shape: LayerShape, *, first_token_only: bool) -> str:
        if not first_token_only:
            return self._mask
        g = self.g
        of_all = g.node("Reshape", ["segments", g.integers(-1)], f"{_PACK}of_all")
        of_first = g.node("Gather", [of_all, "first"], f"{_PACK}of_first")
        of_first = g.node("Unsqueeze", [of_first, g.integers(1)], f"{_PACK}of_first_query")
        return self._same(of_first, of_all, (0, 1), f"{_PACK}first_mask")

    def first(self, x: str, name: str) -> str:
        """From all lines as one, `[1, G L, H]`, select the first tokens of the sequences: `[1, R, H]`."""
        return str(self.g.node("Gather", [x, "first"], name, axis=1))


def packed_graph(model: Classifier, *, token_types: bool = False) -> onnx.ModelProto:
    """The graph of `model` over packs; with `token_types` it has an additional input `types`, otherwise they are zero.

    Raises `ValueError` for a model that cannot be packed, and if token types are requested and it has none.
    """
    config, g = model.config, Graph()
    if not can_pack(config) or (token_types and not config.token_types):
        raise ValueError(f"a {config.family} model of this kind has no graph over packs")
    x = _embeddings(g, model, token_types)
    positions = _Segments(g, model)
    every_token = config.head.pooling == "none"
    last = len(config.layers) - 1
    for index, layer in enumerate(model.encoder.layers):
        assert isinstance(layer, Layer)
        name = f"layer{index}"
        first_only = index == last and config.head.pooling == "first"
        if first_only:
            # Only few queries remain, so one line for everything costs little, and each query attends within its
            # segment.
            x = g.node("Reshape", [x, g.integers(1, -1, config.hidden)], f"{name}.tokens")
        x = layer_nodes(g, layer, x, positions, config, name, first_token_only=first_only)
    if model.encoder.final_norm is not None:
        x = norm_nodes(g, x, model.encoder.final_norm, "final_norm")
    if config.head.pooling == "mean":
        g.node("Identity", [_means(g, x, config.hidden)], "logits")
    else:
        head_nodes(g, model, x, axis=0)
    line: list[str | int] = ["lines", "tokens"]
    inputs: dict[str, list[str | int]] = {"ids": line, "positions": line, "segments": line}
    if not every_token:
        inputs["first"] = ["rows"]
    if token_types:
        inputs[TYPES] = line
    return g.model(inputs, {"logits": [*(line if every_token else ["rows"]), config.labels]})


def _means(g: Graph, x: str, hidden: int) -> str:
    """The mean `[R, H]` of each sequence's tokens, from `[G, L, H]`; a product, as sequences vary in position."""
    of_all = g.node("Reshape", ["segments", g.integers(-1)], f"{_PACK}of_all")
    own = g.node("Unsqueeze", [g.node("Gather", [of_all, "first"], f"{_PACK}of_first"), g.integers(1)], f"{_PACK}own")
    same = g.node("Cast", [g.node("Equal", [own, of_all], f"{_PACK}same")], f"{_PACK}share", to=TensorProto.FLOAT)
    tokens = g.node("Reshape", [x, g.integers(-1, hidden)], f"{_PACK}tokens")
    count = g.node("ReduceSum", [same, g.integers(1)], f"{_PACK}count", keepdims=1)
    return str(g.node("Div", [g.node("MatMul", [same, tokens], f"{_PACK}sum"), count], "mean"))


def _embeddings(g: Graph, model: Classifier, token_types: bool) -> str:
    e = model.encoder.embeddings
    assert e.position is not None
    word = g.node("Gather", [g.constant("word_table", array(e.word.weight)), "ids"], "word")
    table = array(e.position.weight)[e.offset :]
    types = None if e.token_type is None else array(e.token_type.weight)
    if types is not None and not token_types:
        table = table + types[0]
    position = g.node("Gather", [g.constant("position_table", table), "positions"], "position")
    x = g.node("Add", [word, position], "embedded")
    if types is not None and token_types:
        kind = g.node("Gather", [g.constant("token_type_table", types), TYPES], "token_type")
        x = g.node("Add", [x, kind], "embedded_with_type")
    x = norm_nodes(g, x, e.norm, "embeddings")
    return x if e.projection is None else g.linear(x, *linear_map(e.projection), "embedding_projection")


def expected_packed_operators(config: EncoderConfig, *, token_types: bool = False) -> dict[str, int]:
    """How many nodes of each operator `packed_graph` has: those of the padded graph except for the input part."""
    counts = Counter(expected_operators(config, token_types=token_types))
    counts.subtract({"Shape": 1, "Slice": 1, "Cast": 1, "Sub": 1, "Mul": 1})
    # Positions, and the one mask; then the selection of the first tokens, including their mask.
    counts.update({"Gather": 1, "Unsqueeze": 2, "Equal": 1, "Where": 1})
    if config.head.pooling == "first":
        counts.subtract({"Slice": 1})
        counts.update({"Gather": 2, "Unsqueeze": 2, "Equal": 1, "Where": 1, "Reshape": 2})
    if config.head.pooling == "mean":
        counts.subtract({"Unsqueeze": 1, "Mul": 1, "ReduceSum": 2, "Div": 1})
        counts.update({"Reshape": 2, "Gather": 1, "Unsqueeze": 1, "Equal": 1, "Cast": 1, "ReduceSum": 1, "Div": 1})
        counts.update({"MatMul": 1})
    return {name: count for name, count in sorted(counts.items()) if count}


def padded_graph(packed: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with the inputs `input_ids`, `attention_mask` (and `token_type_ids`, if the pack has types), each
    `[B, S]`; `packed` is not modified.

    The linear maps may have been quantised; their weights are copied, not computed again.
    """
    g = Graph()
    position_nodes(g, "position_table")
    mask_nodes(g)
    made = {node.output[0]: node for node in packed.graph.node}
    # The reshape to one line, from which the first tokens are taken; the padded graph keeps its rows separate.
    renamed = {"ids": "input_ids", TYPES: "token_type_ids", f"{_PACK}first_mask": "mask"}
    names_in_place: tuple[str, ...] = ()
    if "first_token" in made:  # a tagger selects none
        (lines,) = (node for node in made.values() if node.output[0].endswith(".tokens") and node.op_type == "Reshape")
        first = next(node.output[0] for node in made.values() if list(node.input) == [lines.output[0], "first"])
        g.node("Slice", [lines.input[0], g.integers(0), g.integers(1), g.integers(1)], first)
        g.node("Squeeze", [made["first_token"].input[0], g.integers(1)], "first_token")
        renamed[lines.output[0]] = lines.input[0]
        names_in_place = (first, "first_token")
    own = {node.output[0]: node for node in g.nodes}
    in_place = {name: own.pop(name) for name in names_in_place}
    nodes = list(own.values())
    for node in packed.graph.node:
        if node.output[0] in in_place:
            nodes.append(in_place[node.output[0]])
        elif node.output[0] not in {*own, *renamed} and not node.name.startswith(_PACK):
            kept = onnx.NodeProto()
            kept.CopyFrom(node)
            kept.input[:] = [renamed.get(name, name) for name in node.input]
            nodes.append(kept)
    used = {name for node in nodes for name in node.input}
    constants = {tensor.name: tensor for tensor in (*packed.graph.initializer, *g.constants) if tensor.name in used}
    types = ["token_type_ids"] if any(value.name == TYPES for value in packed.graph.input) else []
    labels = packed.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    each = [] if "first_token" in made else ["tokens"]
    graph = helper.make_graph(
        nodes,
        packed.graph.name,
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask", *types)
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", *each, labels])],
        initializer=list(constants.values()),
    )
    result = helper.make_model(graph, opset_imports=packed.opset_import, producer_name=packed.producer_name)
    result.ir_version = packed.ir_version
    onnx.checker.check_model(result)
    return result
