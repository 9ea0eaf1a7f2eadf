"""What ONNX Runtime makes of our graphs with the settings of our engine: the fusions that the speed rests on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from leanformer.export.graph import Graph
from leanformer.export.int8 import Int8
from leanformer.models.config import LayerShape
from leanformer.runtime import engine
from tests.export.making import make_context, make_onnx
from tests.tiny import tiny_config

SHAPE_ARITHMETIC = {"Concat", "Expand", "Where", "ConstantOfShape", "Range"}


def optimised(graph: Path, scratch: Path, *, left_out: list[str]) -> Counter[str]:
    """Operators after ONNX Runtime's own optimisation."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(scratch / "optimised.onnx")
    options.log_severity_level = 4  # it warns that such a file is for this machine alone, which is all we want
    ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=left_out)
    return Counter(node.op_type for node in onnx.load(scratch / "optimised.onnx").graph.node)


def linear_maps(layers: int) -> int:
    """Per layer packed query-key-value, attention output, up, down; one more query in the last; two in the head."""
    return 4 * layers + 1 + 2


@pytest.mark.parametrize("layers", [1, 3])
def test_every_linear_map_of_a_dynamic_graph_is_one_fused_operator(layers: int, tmp_path: Path):
    encoder, fp32 = make_onnx(tmp_path, config=tiny_config(layers=(LayerShape(2, 24),) * layers))
    int8 = Int8(max_flips=1.0, max_mean_share=10)(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    assert int8.properties["operators"]["MatMulInteger"] == linear_maps(layers)
    counts = optimised(int8.path / "model.onnx", tmp_path, left_out=engine._LEFT_OUT)
    # The bias may be taken along or not; one of the two forms stands for every linear map.
    assert counts["DynamicQuantizeMatMul"] + counts["MatMulIntegerToFloat"] == linear_maps(layers), counts
    assert not {"MatMulInteger", "ConvInteger", "FusedMatMul"} & set(counts)
    # Queries with keys, and probabilities with values, stay in fp32; both scale factors come from the word table.
    assert counts["MatMul"] == 2 * layers
    assert counts["Mul"] == 2


def test_no_shape_arithmetic_is_left(tmp_path: Path):
    encoder, fp32 = make_onnx(tmp_path, config=tiny_config(layers=(LayerShape(2, 24), LayerShape(3, 16))))
    int8 = Int8(max_flips=1.0, max_mean_share=10)(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    for one in (fp32, int8):
        counts = optimised(one.path / "model.onnx", tmp_path, left_out=engine._LEFT_OUT)
        assert counts["Shape"] == 1, counts
        assert not SHAPE_ARITHMETIC & set(counts), counts


def test_the_slower_fusion_is_left_out(tmp_path: Path):
    for layers in (1, 2):
        _, fp32 = make_onnx(tmp_path / str(layers), config=tiny_config(layers=(LayerShape(4, 24),) * layers))
        counts = optimised(fp32.path / "model.onnx", tmp_path, left_out=engine._LEFT_OUT)
        assert counts["SkipLayerNormalization"] == 0
        assert counts["LayerNormalization"] == 2 * layers + 1


def test_the_setting_that_leaves_it_out_has_its_effect(tmp_path: Path):
    """On a graph of known shapes, where ONNX Runtime would fuse; names that it does not know it ignores."""
    graph = Graph()
    left, right = (graph.node("Cast", [name], f"{name}.float", to=onnx.TensorProto.FLOAT) for name in ("a", "b"))
    total = graph.node("Add", [left, right], "sum")
    graph.node("Identity", [graph.norm(total, np.ones(16, "f4"), np.zeros(16, "f4"), 1e-5, "norm")], "logits")
    shape: list[str | int] = [2, 3, 16]
    onnx.save(graph.model({"a": shape, "b": shape}, {"logits": shape}), tmp_path / "graph.onnx")
    assert optimised(tmp_path / "graph.onnx", tmp_path, left_out=[])["SkipLayerNormalization"] == 1
    assert optimised(tmp_path / "graph.onnx", tmp_path, left_out=engine._LEFT_OUT)["SkipLayerNormalization"] == 0
