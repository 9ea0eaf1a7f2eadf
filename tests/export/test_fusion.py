"""What ONNX Runtime makes of our graphs with its default settings: the fusions that the speed rests on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import onnxruntime as ort
import pytest

from leanformer.export.int8 import Int8
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.shapes.encoder import LayerShape
from tests.making.graphs import make_context, make_onnx
from tests.making.tiny import tiny_config

SHAPE_ARITHMETIC = {"Concat", "Expand", "Where", "ConstantOfShape", "Range"}


def optimised(graph: Path, scratch: Path) -> Counter[str]:
    """Operators after ONNX Runtime's own optimisation, as the engine asks for it."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(scratch / "optimised.onnx")
    options.log_severity_level = 4  # it warns that such a file is for this machine alone, which is all we want
    ort.InferenceSession(
        str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(OnnxEngine.DISABLED)
    )
    return Counter(node.op_type for node in onnx.load(scratch / "optimised.onnx").graph.node)


def linear_maps(layers: int) -> int:
    """Per layer packed query-key-value, attention output, up, down; one more query in the last; two in the head."""
    return 4 * layers + 1 + 2


@pytest.mark.parametrize("layers", [1, 3])
def test_every_linear_map_of_a_dynamic_graph_is_one_fused_operator(layers: int, tmp_path: Path):
    encoder, fp32 = make_onnx(tmp_path, config=tiny_config(layers=(LayerShape(2, 24),) * layers))
    step = Int8(method="dynamic", max_flips=1.0, max_mean_share=10)
    int8 = step(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    assert int8.properties["operators"]["MatMulInteger"] == linear_maps(layers)
    counts = optimised(int8.path / "model.onnx", tmp_path)
    # The bias may be taken along or not; one of the two forms stands for every linear map.
    assert counts["DynamicQuantizeMatMul"] + counts["MatMulIntegerToFloat"] == linear_maps(layers), counts
    assert not {"MatMulInteger", "ConvInteger", "FusedMatMul"} & set(counts)
    # Queries with keys, and probabilities with values, stay in fp32; the one scale factor is the word table's.
    assert counts["MatMul"] == 2 * layers
    assert counts["Mul"] == 1


@pytest.mark.parametrize("method", ["mixed", "per_token", "static"])
def test_every_linear_map_runs_in_int8(method: str, tmp_path: Path):
    """What was written as quantising and undoing it is one integer product each, and nothing is undone in fp32."""
    encoder, fp32 = make_onnx(tmp_path, config=tiny_config(layers=(LayerShape(2, 24),) * 3))
    step = Int8(method=method, max_flips=1.0, max_mean_share=10)
    int8 = step(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    counts = optimised(int8.path / "model.onnx", tmp_path)
    assert counts["MatMulIntegerToFloat"] == counts["QuantizeLinear"] == linear_maps(3), counts
    assert counts["MatMul"] == 2 * 3
    assert not {"DequantizeLinear", "MatMulInteger", "Gemm"} & set(counts)


def test_no_shape_arithmetic_is_left(tmp_path: Path):
    encoder, fp32 = make_onnx(tmp_path, config=tiny_config(layers=(LayerShape(2, 24), LayerShape(3, 16))))
    int8 = Int8(max_flips=1.0, max_mean_share=10)(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    for artifact in (fp32, int8):
        counts = optimised(artifact.path / "model.onnx", tmp_path)
        assert counts["Shape"] == 0, counts
        assert counts["Where"] == 2, "the two masks"
        assert not (SHAPE_ARITHMETIC - {"Where"}) & set(counts), counts


def test_residual_sums_and_norms_stay_apart(tmp_path: Path):
    """ONNX Runtime's fused form of the two was measured slower; it must not come in unnoticed."""
    for layers in (1, 2):
        _, fp32 = make_onnx(tmp_path / str(layers), config=tiny_config(layers=(LayerShape(4, 24),) * layers))
        counts = optimised(fp32.path / "model.onnx", tmp_path)
        assert counts["SkipLayerNormalization"] == 0
        assert counts["LayerNormalization"] == 2 * layers + 1
