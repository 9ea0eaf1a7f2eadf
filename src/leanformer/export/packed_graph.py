"""Our classifier as an ONNX graph over packed tokens: sequences end to end in one row, and no padding anywhere.

The inputs, all int64, of a pack of R sequences with T tokens in all:

    ids        [1, T]   token ids, one sequence after the other
    positions  [1, T]   place of each token in its own sequence, from 0
    segments   [1, T]   number of the sequence that each token belongs to
    first      [R]      where in the row each sequence begins

The output `logits` is `[R, labels]`. A token attends to the tokens of its own segment. Everything but the way in, the
mask and the choice of the tokens that the head reads is the graph of `encoder_graph`, node by node and under the same
names; so `padded_graph` turns one into the other by exchanging those few nodes, whatever became of the linear maps.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import TensorProto, helper

from leanformer.export.encoder_graph import (
    MASKED,
    array,
    expected_operators,
    head_nodes,
    layer_nodes,
    mask_nodes,
    position_nodes,
)
from leanformer.export.graph import Graph
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer

INPUTS = ("ids", "positions", "segments", "first")
# The nodes that know of packing, apart from the two that pick what the head reads.
_PACK = "pack."


def packed_graph(model: Classifier) -> onnx.ModelProto:
    """The graph of `model` over packs; token types count as zero."""
    config, g = model.config, Graph()
    e = model.encoder.embeddings
    word = g.node("Gather", [g.constant("word_table", array(e.word.weight)), "ids"], "word")
    table = g.constant("position_table", array(e.position.weight) + array(e.token_type.weight)[0])
    x = g.node("Add", [word, g.node("Gather", [table, "positions"], "position")], "embedded")
    x = g.norm(x, array(e.norm.weight), array(e.norm.bias), e.norm.eps, "embeddings")
    own = g.node(
        "Equal",
        [
            g.node("Unsqueeze", ["segments", g.integers(2)], f"{_PACK}of_query"),
            g.node("Unsqueeze", ["segments", g.integers(1)], f"{_PACK}of_key"),
        ],
        f"{_PACK}same",
    )
    zero, masked = (g.constant(f"{_PACK}{k}", np.array(v, np.float32)) for k, v in (("zero", 0), ("masked", MASKED)))
    mask = g.node("Where", [own, zero, masked], f"{_PACK}bias")
    mask = g.node("Unsqueeze", [mask, g.integers(1)], "mask")
    *layers, last = model.encoder.layers
    for index, layer in enumerate(layers):
        assert isinstance(layer, Layer)
        x = layer_nodes(g, layer, x, mask, config, f"layer{index}")
    assert isinstance(last, Layer)
    name = f"layer{len(layers)}"
    read = g.node("Gather", [x, "first"], f"{name}.first", axis=1)
    mask = g.node("Gather", [mask, "first"], f"{_PACK}first_mask", axis=2)
    x = layer_nodes(g, last, x, mask, config, name, read=read)
    head_nodes(g, model, g.node("Squeeze", [x, g.integers(0)], "first_token"))
    row: list[str | int] = [1, "tokens"]
    inputs = {"ids": row, "positions": row, "segments": row, "first": ["rows"]}
    return g.model(inputs, {"logits": ["rows", config.labels]})


def expected_packed_operators(layers: int, *, activation: str = "gelu") -> dict[str, int]:
    """How many nodes of each operator `packed_graph` has: those of the padded graph but for the way in."""
    counts = Counter(expected_operators(layers, activation=activation))
    counts.subtract({"Shape": 1, "Slice": 2, "Cast": 1, "Sub": 1, "Mul": 1})
    counts.update({"Gather": 3, "Unsqueeze": 2, "Equal": 1, "Where": 1})
    return {name: count for name, count in sorted(counts.items()) if count}


def padded_graph(packed: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with the inputs `input_ids` and `attention_mask` `[B, S]`; `packed` stays as it is.

    The linear maps may have been quantised meanwhile; the weights are taken over, not computed again.
    """
    g = Graph()
    position_nodes(g, "position_table")
    mask_nodes(g)
    first = next(n for n in packed.graph.node if "first" in n.input and n.input[0] != "mask")
    g.node("Slice", [first.input[0], g.integers(0), g.integers(1), g.integers(1)], first.output[0])
    head = next(n for n in packed.graph.node if "first_token" in n.output)
    g.node("Squeeze", [head.input[0], g.integers(1)], "first_token")
    own = {one.output[0]: one for one in g.nodes}
    nodes = [own.pop(name) for name in list(own) if name not in (first.output[0], "first_token")]
    for node in packed.graph.node:
        if node.output[0] in own:
            nodes.append(own[node.output[0]])
        elif node.output[0] not in ("position", "mask") and not node.name.startswith(_PACK):
            kept = onnx.NodeProto()
            kept.CopyFrom(node)
            renamed = {"ids": "input_ids", f"{_PACK}first_mask": "mask"}
            kept.input[:] = [renamed.get(name, name) for name in node.input]
            nodes.append(kept)
    used = {name for node in nodes for name in node.input}
    constants = {one.name: one for one in (*packed.graph.initializer, *g.constants) if one.name in used}
    labels = packed.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    graph = helper.make_graph(
        nodes,
        packed.graph.name,
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])],
        initializer=list(constants.values()),
    )
    result = helper.make_model(graph, opset_imports=packed.opset_import, producer_name=packed.producer_name)
    result.ir_version = packed.ir_version
    onnx.checker.check_model(result)
    return result

