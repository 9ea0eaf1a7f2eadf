"""Scales, zero points and ranges of int8 products, on graphs that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from leanformer.export.quantise import calibrate, quantise


def product(weight: np.ndarray) -> onnx.ModelProto:
    """y = x @ weight."""
    node = helper.make_node("MatMul", ["x", "weight"], ["y"], name="product")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None]) for name in ("x", "y")]
    tensor = numpy_helper.from_array(weight.astype(np.float32), "weight")
    graph = helper.make_graph([node], "graph", values[:1], values[1:], [tensor])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def fed(*rows: Sequence[float]) -> list[dict[str, np.ndarray]]:
    return [{"x": np.array([row], dtype=np.float32)} for row in rows]


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_a_range_holds_all_that_was_seen_and_zero() -> None:
    graph = product(np.eye(2))
    assert calibrate(graph, fed((-1, 2), (-3, 1), (0, 5))) == {"x": (-3, 5)}
    assert calibrate(graph, fed((2, 4), (3, 5))) == {"x": (0, 5)}
    assert calibrate(graph, fed((-2, -4), (-3, -5))) == {"x": (-5, 0)}


def test_a_percentile_is_taken_of_each_feed_and_averaged() -> None:
    """Of 0 to 100 the 90th percentile is 90, and of -100 to 0 it is -10; their mirror images are 10 and -90."""
    feeds = fed(range(101), range(-100, 1))
    assert calibrate(product(np.ones((101, 1))), feeds, 90)["x"] == pytest.approx((-40, 40))


def test_the_zero_point_is_where_zero_lies_in_the_range() -> None:
    graph = quantise(product(np.eye(2)), {"x": (-1.0, 3.0)})
    found = constants(graph)
    assert found["x.range_scale"] == pytest.approx(4 / 255) and found["x.range_zero"] == 64
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    asked = np.array([[-1, 3], [0, 0.5], [-9, 9]], dtype=np.float32)
    # What lies outside is clipped to the ends of the range.
    expected = np.array([[-1, 3], [0, 0.5], [-1, 3]])
    assert session.run(["y"], {"x": asked})[0] == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(("bits", "largest"), [(8, 127), (7, 63)])
def test_each_output_channel_has_its_own_scale(bits: int, largest: int) -> None:
    weight = np.array([[100.0, 0.01], [-25.0, -0.04]])
    found = constants(quantise(product(weight), {}, weight_bits=bits))
    assert found["weight.scales"] == pytest.approx(np.array([100, 0.04]) / largest)
    assert found["weight.int8"].tolist() == [[largest, round(largest / 4)], [-round(largest / 4), -largest]]
    assert found["weight.zero"].tolist() == [0, 0]
