"""int8 graphs whose sums no CPU cuts off: weights in 7 bits.

x86 CPUs with AVX2 and no dot products of bytes (VNNI) add the products of two neighbours in 16 bits, and what does not
fit is cut off. Activations are 0 to 255, so two products fit for certain where no weight is beyond 64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

LARGEST_SAFE = 64
"""255 * (64 + 64) < 2^15 <= 255 * (64 + 65)."""
_LARGEST_MADE = 63
# Inputs of ONNX Runtime's LSTM: each weight and its scales.
_LSTM_PAIRS = ((1, 8), (2, 10))


def make_portable(graph: onnx.ModelProto) -> int:
    """Round every int8 weight that bytes are multiplied with to 7 bits, in place; how many were beyond.

    A weight that is in 7 bits already stays as it is.
    """
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    changed = 0
    for weight, scale in sorted(set(_weights(graph, constants))):
        values, steps = (numpy_helper.to_array(constants[name]) for name in (weight, scale))
        if np.abs(values.astype(np.int32)).max(initial=0) <= LARGEST_SAFE:
            continue
        rounded, wider = _rounded(values, steps)
        constants[weight].CopyFrom(numpy_helper.from_array(rounded, weight))
        constants[scale].CopyFrom(numpy_helper.from_array(wider, scale))
        changed += 1
    return changed


def has_wide_weights(graph: onnx.ModelProto) -> bool:
    """Whether there are products of bytes that an x86 CPU without VNNI may cut off."""
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    return any(
        np.abs(numpy_helper.to_array(constants[name]).astype(np.int32)).max(initial=0) > LARGEST_SAFE
        for name, _ in _weights(graph, constants)
    )


def _weights(graph: onnx.ModelProto, constants: dict[str, TensorProto]) -> Iterator[tuple[str, str]]:
    """Names of each int8 constant that is a factor of a product, and of its scales."""
    multiplied = {name for node in graph.graph.node if node.op_type in ("MatMul", "Gemm") for name in node.input[:2]}
    for node in graph.graph.node:
        if node.op_type == "DequantizeLinear" and node.output[0] in multiplied:
            pairs = [(node.input[0], node.input[1])]
        elif node.op_type == "MatMulInteger":  # as ONNX Runtime's quantiser names them
            pairs = [(node.input[1], f"{node.input[1].removesuffix('_quantized')}_scale")]
        elif node.op_type == "DynamicQuantizeLSTM":
            pairs = [(node.input[weight], node.input[scale]) for weight, scale in _LSTM_PAIRS]
        else:
            continue
        for weight, scale in pairs:
            if weight in constants and constants[weight].data_type == TensorProto.INT8:
                yield weight, scale


def _rounded(values: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[..., in, out]` and their scales, one or one for each output: what they stand for, in wider steps."""
    size = np.abs(values.astype(np.float32))
    largest = size.max(axis=-2) if steps.size > 1 else size.max()
    factor = np.maximum(largest / _LARGEST_MADE, 1).astype(np.float32)
    rounded = np.rint(values / (factor[..., None, :] if steps.size > 1 else factor))
    return rounded.astype(np.int8), (steps * factor.reshape(steps.shape)).astype(np.float32)
