"""Linear maps of a graph in int8, written with standard operators that runtimes fuse (QuantizeLinear and its inverse).

Weights are symmetric with one scale per output channel. Activations are asymmetric in a fixed range, or symmetric with
one scale per token, computed at run time. Neither depends on the other texts in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Ranges = Mapping[str, tuple[float, float]]
Constants = dict[str, "np.ndarray | np.generic"]


class LinearMap(NamedTuple):
    """A product with a constant: the node, the name of its input, and the weight `[in, out]`."""

    node: onnx.NodeProto
    input: str
    weight: np.ndarray


def linear_maps(model: onnx.ModelProto) -> Iterator[LinearMap]:
    """Every product whose second factor is an fp32 constant, in order."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Gemm") and node.input[1] in constants:
            yield LinearMap(node, node.input[0], numpy_helper.to_array(constants[node.input[1]]))


def calibrate(model: onnx.ModelProto, feeds: Sequence[Mapping[str, np.ndarray]], percentile: float = 100.0) -> Ranges:
    """The range of each linear map's input: value name -> (low, high), including zero.

    With a percentile below 100 the range ends at that percentile of each feed's values (and at its mirror image at the
    low end), averaged over feeds; at 100 it covers all values.
    """
    import onnxruntime as ort

    names = list(dict.fromkeys(map_.input for map_ in linear_maps(model)))
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = np.array(
        [
            [np.percentile(value, (100 - percentile, percentile)) for value in session.run(names, dict(feed))]
            for feed in feeds
        ]
    )
    if percentile == 100:
        low, high = seen[..., 0].min(axis=0), seen[..., 1].max(axis=0)
    else:
        low, high = seen.mean(axis=0).T
    return {name: (min(0.0, float(low[index])), max(0.0, float(high[index]))) for index, name in enumerate(names)}


def behind_norms(model: onnx.ModelProto) -> set[str]:
    """Inputs of linear maps that are the output of a LayerNorm, or some of its tokens."""
    made = {name: node for node in model.graph.node for name in node.output}

    def comes_from_norm(name: str) -> bool:
        node = made.get(name)
        if node is not None and node.op_type in ("Reshape", "Gather", "Slice"):
            return comes_from_norm(node.input[0])
        return node is not None and node.op_type == "LayerNormalization"

    return {map_.input for map_ in linear_maps(model) if comes_from_norm(map_.input)}


def quantise(model: onnx.ModelProto, ranges: Ranges, *, weight_bits: int = 8) -> onnx.ModelProto:
    """A copy with every linear map in int8: inputs named in `ranges` use that range, the others a scale per token.

    Args:
        weight_bits: 7 keeps sums of products from saturating on CPUs with AVX2 and no int8 dot products.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    maps = {map_.node.output[0]: map_ for map_ in linear_maps(result)}
    constants: Constants = {"token.one": np.float32(1), "token.zero_point": np.uint8(128)}
    nodes: list[onnx.NodeProto] = []
    ready: dict[str, str] = {}
    for node in result.graph.node:
        if node.output[0] not in maps:
            nodes.append(node)
            continue
        _, x, weight = maps[node.output[0]]
        if x not in ready:
            ready[x] = _fixed(x, ranges[x], nodes, constants) if x in ranges else _per_token(x, nodes, constants)
        rows, scales = _quantised(weight, weight_bits)
        name = node.input[1]
        constants |= {f"{name}.int8": rows, f"{name}.scales": scales, f"{name}.zero": np.zeros(len(scales), np.int8)}
        parts = [f"{name}.{part}" for part in ("int8", "scales", "zero")]
        nodes.append(helper.make_node("DequantizeLinear", parts, [f"{name}.undone"], name=f"{name}.undone", axis=1))
        product = node.output[0] if x in ranges else f"{node.output[0]}.unscaled"
        nodes.append(helper.make_node("MatMul", [ready[x], f"{name}.undone"], [product], name=f"{node.name}.int8"))
        if x not in ranges:
            nodes.append(helper.make_node("Mul", [product, f"{x}.scale"], [node.output[0]], name=f"{node.name}.scaled"))
    # Collected in a list first: the kept nodes still belong to the field that is cleared.
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del result.graph.node[:]
    result.graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    initializers = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del result.graph.initializer[:]
    result.graph.initializer.extend(initializers)
    result.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in used
    )
    return result


def _fixed(x: str, bounds: tuple[float, float], nodes: list[onnx.NodeProto], constants: Constants) -> str:
    low, high = bounds
    scale = max(high - low, 1e-12) / 255
    names = [f"{x}.range_scale", f"{x}.range_zero"]
    constants |= {names[0]: np.float32(scale), names[1]: np.uint8(np.clip(np.rint(-low / scale), 0, 255))}
    return _there_and_back(x, x, names, nodes)


def _per_token(x: str, nodes: list[onnx.NodeProto], constants: Constants) -> str:
    """Divide each token by its largest absolute value / 127, so that a scale of 1 suits all; keep `{x}.scale`."""
    constants |= {"token.axis": np.array([-1]), "token.share": np.float32(1 / 127), "token.least": np.float32(1e-12)}
    for operator, inputs, output, attributes in (
        ("ReduceMax", [x, "token.axis"], f"{x}.high", {"keepdims": 1}),
        ("ReduceMin", [x, "token.axis"], f"{x}.low", {"keepdims": 1}),
        ("Neg", [f"{x}.low"], f"{x}.depth", {}),
        ("Max", [f"{x}.high", f"{x}.depth", "token.least"], f"{x}.largest", {}),
        ("Mul", [f"{x}.largest", "token.share"], f"{x}.scale", {}),
        ("Reciprocal", [f"{x}.scale"], f"{x}.inverse", {}),
        ("Mul", [x, f"{x}.inverse"], f"{x}.scaled", {}),
    ):
        nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
    return _there_and_back(f"{x}.scaled", x, ["token.one", "token.zero_point"], nodes)


def _there_and_back(source: str, x: str, scale: list[str], nodes: list[onnx.NodeProto]) -> str:
    nodes.append(helper.make_node("QuantizeLinear", [source, *scale], [f"{x}.uint8"], name=f"{x}.uint8"))
    nodes.append(helper.make_node("DequantizeLinear", [f"{x}.uint8", *scale], [f"{x}.undone"], name=f"{x}.undone"))
    return f"{x}.undone"


def _quantised(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """A weight `[in, out]` as int8 and one scale per output channel `[out]`; the range is symmetric."""
    largest = 2 ** (bits - 1) - 1
    scales = (np.maximum(np.abs(weight).max(axis=0), 1e-12) / largest).astype(np.float32)
    return np.clip(np.rint(weight / scales), -largest, largest).astype(np.int8), scales
