"""An ONNX graph, built node by node: standard operators only, every name readable."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

OPSET = 20


class Graph:
    """Collects nodes and constants; each method returns the name of the value it created."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    @property
    def constants(self) -> list[onnx.TensorProto]:
        return list(self._constants.values())

    def constant(self, name: str, value: np.ndarray) -> str:
        """A named constant; the same name twice must mean the same value."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def integers(self, *values: int) -> str:
        """A small int64 vector, shared by all nodes that need the same values."""
        return self.constant("ints_" + "_".join(str(v).replace("-", "m") for v in values), np.array(values, np.int64))

    def node(self, operator: str, inputs: list[str], name: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node whose outputs are called `name` (or `name.0`, `name.1`, ...); returns those names."""
        names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None, name: str) -> str:
        """x W^T + b with weights in PyTorch's layout, `[out, in]`; without a bias, only the product."""
        product = self.node("MatMul", [x, self.constant(f"{name}.weight", weight.T)], f"{name}.matmul")
        return str(product if bias is None else self.node("Add", [product, self.constant(f"{name}.bias", bias)], name))

    def norm(self, x: str, weight: np.ndarray, bias: np.ndarray | None, epsilon: float, name: str) -> str:
        """LayerNorm over the last dimension."""
        inputs = [x, self.constant(f"{name}.weight", weight)]
        if bias is not None:
            inputs.append(self.constant(f"{name}.bias", bias))
        return str(self.node("LayerNormalization", inputs, name, axis=-1, epsilon=epsilon))

    def model(self, inputs: dict[str, list[str | int]], outputs: dict[str, list[str | int]]) -> onnx.ModelProto:
        """The finished, checked model; int64 inputs and float outputs with the given (possibly named) dimensions."""
        graph = helper.make_graph(
            self.nodes,
            "leanformer",
            [helper.make_tensor_value_info(k, TensorProto.INT64, v) for k, v in inputs.items()],
            [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in outputs.items()],
            initializer=self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="leanformer")
        model.ir_version = 9  # the version released with this opset; older runtimes do not accept newer ones
        onnx.checker.check_model(model, full_check=True)
        return model


def array(value: torch.Tensor) -> np.ndarray:
    """A tensor's values in fp32, for a constant."""
    return np.asarray(value.detach().cpu().float().numpy())


def operator_counts(model: onnx.ModelProto) -> dict[str, int]:
    """Operator name -> number of nodes."""
    return dict(sorted(Counter(node.op_type for node in model.graph.node).items()))
