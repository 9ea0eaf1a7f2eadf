"""int8 graphs whose sums saturate on no CPU: weights in 7 bits.

x86 CPUs with AVX2 but without byte dot products (VNNI) add the products of two neighbours in 16 bits, with saturation.
Activations are 0 to 255, so two products are certain to fit if no weight is beyond 64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

LARGEST_SAFE = 64
"""255 * (64 + 64) < 2^15 <= 255 * (64 + 65)."""
_LARGEST_MADE = 63
# Input indices of ONNX Runtime's LSTM: each weight and its scales.
_LSTM_PAIRS = ((1, 8), (2, 10))


def make_portable(graph: onnx.ModelProto) -> int:
    """Round all int8 weights that are multiplied with bytes to 7 bits, in place; return how many tensors changed.

    Weights that already fit in 7 bits are not changed.
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
    """Whether there are byte products that may saturate on an x86 CPU without VNNI."""
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
        elif node.op_type == "MatMulInteger":  # named as by ONNX Runtime's quantiser
            pairs = [(node.input[1], f"{node.input[1].removesuffix('_quantized')}_scale")]
        elif node.op_type == "DynamicQuantizeLSTM":
            pairs = [(node.input[weight], node.input[scale]) for weight, scale in _LSTM_PAIRS]
        else:
            continue
        for weight, scale in pairs:
            if weight in constants and constants[weight].data_type == TensorProto.INT8:
                yield weight, scale


def _rounded(values: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[..., in, out]` and scales, one or one per output: the same values in wider steps."""
    size = np.abs(values.astype(np.float32))
    largest = size.max(axis=-2) if steps.size > 1 else size.max()
    factor = np.maximum(largest / _LARGEST_MADE, 1).astype(np.float32)
    rounded = np.rint(values / (factor[..., None, :] if steps.size > 1 else factor))
    return rounded.astype(np.int8), (steps * factor.reshape(steps.shape)).astype(np.float32)
