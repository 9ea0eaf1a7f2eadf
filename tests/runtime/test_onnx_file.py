"""The reader of ONNX files against the library `onnx`."""

import contextlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from leanformer.errors import ArtifactError
from leanformer.runtime.onnx_file import read_onnx
from tests.making.graphs import make_onnx


def test_every_constant_and_node_of_our_graphs(tmp_path: Path) -> None:
    path = make_onnx(tmp_path)[1].file("model.onnx")
    ours, theirs = read_onnx(path), onnx.load(path).graph
    assert list(ours.constants) == [tensor.name for tensor in theirs.initializer]
    for tensor in theirs.initializer:
        expected = numpy_helper.to_array(tensor)
        assert ours.constants[tensor.name].dtype == expected.dtype
        np.testing.assert_array_equal(ours.constants[tensor.name], expected)
    assert ours.inputs == [tensor.name for tensor in theirs.input]
    assert [(n.operator, n.inputs, n.outputs) for n in ours.nodes] == [
        (n.op_type, tuple(n.input), tuple(n.output)) for n in theirs.node
    ]
    norm = next(node for node in ours.nodes if node.operator == "LayerNormalization")
    assert norm.attributes == {"axis": -1, "epsilon": pytest.approx(1e-12)}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (TensorProto.FLOAT, [1.5, -2.25, 0.0]),
        (TensorProto.INT8, [-127, 0, 127]),
        (TensorProto.UINT8, [0, 128, 255]),
        (TensorProto.INT32, [-(2**31), -1, 2**31 - 1]),
        (TensorProto.INT64, [-(2**63), -1, 2**63 - 1]),
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_values_kept_in_every_way(tmp_path: Path, kind: int, values: list[float], raw: bool) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    content = np.array(values, dtype).tobytes() if raw else values
    tensor = helper.make_tensor("t", kind, [3, 1], content, raw=raw)
    graph = helper.make_graph([], "g", [], [], [tensor])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    found = read_onnx(tmp_path / "m.onnx").constants["t"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.array(values, dtype)[:, None])


def test_texts_among_attributes(tmp_path: Path) -> None:
    node = helper.make_node("Gelu", ["x"], ["y"], approximate="tanh")
    onnx.save(helper.make_model(helper.make_graph([node], "g", [], [])), tmp_path / "m.onnx")
    assert read_onnx(tmp_path / "m.onnx").nodes[0].attributes == {"approximate": "tanh"}


def test_tensors_in_other_files_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\0" * 400)
    tensor = numpy_helper.from_array(np.zeros(100, np.float32), "t")
    model = helper.make_model(helper.make_graph([], "g", [], [], [tensor]))
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "secret")
    model.graph.initializer[0].ClearField("raw_data")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match="another file"):
        read_onnx(tmp_path / "m.onnx")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_read_never_worse(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path, broken = folder / "damaged-from.onnx", folder / "damaged.onnx"
    if not path.is_file():
        tensor = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(3, 4), "t")
        node = helper.make_node("LayerNormalization", ["x", "t"], ["y"], epsilon=1e-5)
        onnx.save(helper.make_model(helper.make_graph([node], "g", [], [], [tensor])), path)
    content = bytearray(path.read_bytes())
    cut = data.draw(st.integers(0, len(content)))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[at] = data.draw(st.integers(0, 255))
    broken.write_bytes(content[:cut])
    with contextlib.suppress(ArtifactError):
        read_onnx(broken)
