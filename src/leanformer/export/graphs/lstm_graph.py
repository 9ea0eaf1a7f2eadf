"""Our recurrent classifier as an ONNX graph over padded rows, in fp32, and its LSTM in int8.

The inputs are those of a standard file: `input_ids` and `attention_mask`, int64 `[B, S]`, the mask 1 for real tokens,
which come first. The LSTM gets each row's length, so padding is neither computed nor read. The output `logits` is
`[B, S, labels]`, or `[B, labels]` if the ends of a text are pooled.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from leanformer.export.graphs.graph import Graph, array
from leanformer.models.bilstm import BiLstm
from leanformer.shapes.recurrent import BiLstmConfig

_MICROSOFT = "com.microsoft"


def lstm_graph(model: BiLstm) -> onnx.ModelProto:
    """The graph of `model`; standard operators only."""
    config, g = model.config, Graph()
    table = g.constant("word_table", array(model.embedding.weight))
    turned = g.node("Transpose", ["input_ids"], "ids_by_step", perm=[1, 0])
    x = g.node("Gather", [table, turned], "word")
    lengths = g.node("ReduceSum", ["attention_mask", g.integers(1)], "lengths", keepdims=0)
    lengths = g.node("Cast", [lengths], "lengths.int32", to=TensorProto.INT32)
    weights = [g.constant(f"lstm.{name}", value) for name, value in _weights(model).items()]
    # Only the ends of a text are read: the first output, all steps, is then unnamed.
    named = ["", "lstm.ends"] if config.pooling == "ends" else ["lstm.steps"]
    g.nodes.append(
        helper.make_node(
            "LSTM", [x, *weights, lengths], named, name="lstm", direction="bidirectional", hidden_size=config.units
        )
    )
    if config.pooling == "ends":  # [2, B, H]
        both = g.node("Transpose", ["lstm.ends"], "lstm.by_row", perm=[1, 0, 2])
        read = g.node("Reshape", [both, g.integers(-1, 2 * config.units)], "lstm.read")
    else:  # [S, 2, B, H]
        both = g.node("Transpose", ["lstm.steps"], "lstm.by_row", perm=[2, 0, 1, 3])
        read = g.node("Reshape", [both, g.integers(0, 0, 2 * config.units)], "lstm.read")
    state = g.linear(read, array(model.projection.weight), array(model.projection.bias), "projection")
    state = g.node("Gelu", [state], "state")
    product = g.linear(state, array(model.head.weight), array(model.head.bias), "head")
    g.node("Identity", [product], "logits")
    line: list[str | int] = ["rows", "tokens"]
    return g.model(
        {"input_ids": line, "attention_mask": line},
        {"logits": [*(["rows"] if config.pooling == "ends" else line), config.labels]},
    )


def expected_lstm_operators(config: BiLstmConfig) -> dict[str, int]:
    """How many nodes of each operator `lstm_graph` has."""
    return {
        "Add": 2, "Cast": 1, "Gather": 1, "Gelu": 1, "Identity": 1, "LSTM": 1, "MatMul": 2, "ReduceSum": 1,
        "Reshape": 1, "Transpose": 2,
    }  # fmt: skip


def _weights(model: BiLstm) -> dict[str, np.ndarray]:
    """W `[2, 4 H, E]`, R `[2, 4 H, H]`, B `[2, 8 H]` with the gates in the order of ONNX (i, o, f, c)."""
    lstm, ends = model.lstm, ("", "_reverse")

    def of(kind: str) -> list[np.ndarray]:
        return [_reordered(getattr(lstm, f"{kind}_l0{end}")) for end in ends]

    bias = [np.concatenate(pair) for pair in zip(of("bias_ih"), of("bias_hh"), strict=True)]
    return {"W": np.stack(of("weight_ih")), "R": np.stack(of("weight_hh")), "B": np.stack(bias)}


def _reordered(weight: Tensor) -> np.ndarray:
    """Reorder PyTorch's gates i, f, c, o to i, o, f, c."""
    i, f, c, o = np.split(array(weight), 4)
    return np.concatenate([i, o, f, c])


def quantise_lstm(graph: onnx.ModelProto, *, weight_bits: int = 8) -> None:
    """Replace the LSTM, if there is one, by ONNX Runtime's with int8 weights and a scale per gate and unit.

    The inputs of its products are quantised dynamically, with one scale for all rows of a batch and a step, so an
    output depends slightly on the other texts in its batch.
    """
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    for at, node in enumerate(graph.graph.node):
        if node.op_type != "LSTM":
            continue
        x, w, r, bias, lengths = node.input
        inputs, scales, added = [x], list[str](), list[tuple[str, np.ndarray]]()
        for name in (w, r):
            values, steps = _quantised(numpy_helper.to_array(constants[name]), weight_bits)
            zero = np.zeros_like(steps, dtype=np.int8)
            added += [(f"{name}.int8", values), (f"{name}.scale", steps), (f"{name}.zero", zero)]
            inputs.append(f"{name}.int8")
            scales += [f"{name}.scale", f"{name}.zero"]
            graph.graph.initializer.remove(constants[name])
        graph.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in added)
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        made = helper.make_node(
            "DynamicQuantizeLSTM", [*inputs, bias, lengths, "", "", "", *scales], list(node.output),
            name=f"{node.name}.int8", domain=_MICROSOFT, **attributes,
        )  # fmt: skip
        graph.graph.node.remove(node)
        graph.graph.node.insert(at, made)
        if all(opset.domain != _MICROSOFT for opset in graph.opset_import):
            graph.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
        return


def _quantised(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """A weight `[2, 4 H, K]` as int8 `[2, K, 4 H]` and one scale per output `[2, 4 H]`; the range is symmetric."""
    largest = 2 ** (bits - 1) - 1
    scales = (np.maximum(np.abs(weight).max(axis=2), 1e-12) / largest).astype(np.float32)
    values = np.clip(np.rint(weight / scales[..., None]), -largest, largest).astype(np.int8)
    return np.ascontiguousarray(values.transpose(0, 2, 1)), scales
