"""The native engine on encoders that tag words: logits of every token, in any company, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.runtime.engines.native_engine import NativeEngine, read_onnx
from leanformer.runtime.native.weights import weights_of
from leanformer.runtime.onnx_file import Node
from leanformer.runtime.predictor import LightPredictor
from leanformer.shapes.encoder import LayerShape
from leanformer.tagging.ragged import flat
from tests.making.graphs import make_context
from tests.making.native import INT8_DEFAULT, needs_compiler, usable_levels
from tests.making.tagged import tagged_dataset, tagged_examples, tagger_artifact, tiny_tagger
from tests.runtime.test_native import LOOSE, some_rows

pytestmark = needs_compiler

SHAPES: dict[str, dict[str, Any]] = {
    "even": {"layers": (LayerShape(4, 48),) * 2},
    "odd": {"layers": (LayerShape(3, 20), LayerShape(1, 7))},
    "one layer": {"layers": (LayerShape(2, 9),)},
    "projected": {"embedding": 24, "token_types": 0},
}


def made(folder: Path, method: str = "per_token", **shape: Any) -> tuple[Artifact, Artifact]:
    """A tagger's graph, and the same in int8."""
    tagger = tagger_artifact(folder / "encoder", model=tiny_tagger(**shape), max_tokens=64)
    context = make_context(folder, tagger, data=tagged_dataset())
    fp32 = Onnx()(tagger, context, folder / "onnx")
    return fp32, Int8(method=method, **LOOSE)(fp32, context, folder / "int8")


@pytest.mark.parametrize("name", SHAPES)
def test_every_token_has_its_logits(tmp_path: Path, name: str) -> None:
    fp32, int8 = made(tmp_path, **SHAPES[name])
    rows, path = some_rows(), int8.file("model.onnx")
    order = np.random.default_rng(1).permutation(len(rows)).tolist()

    def alone(engine: Any) -> np.ndarray:
        return np.concatenate([engine.run(rows, [[i]]) for i in order])

    exact, usual = alone(OnnxEngine(fp32.file("model.onnx"), 1)), alone(OnnxEngine(path, 1))
    for level in usable_levels():
        engine = NativeEngine(path, int8.properties, level=level)
        found = alone(engine)
        assert found.shape == exact.shape
        # The usual range has zero in its middle, so that it is longer.
        assert 0 < np.abs(found - exact).mean() < 1.2 * np.abs(usual - exact).mean(), level
        for variant in (engine, engine.together(2), engine.together(3)):
            assert np.array_equal(variant.run(rows, [order]), found)
            assert np.array_equal(alone(variant), found)


@pytest.mark.parametrize("method", ["mixed", "per_token", "static", "dynamic"])
def test_every_kind_of_int8_file_is_run_unless_told_otherwise(tmp_path: Path, method: str) -> None:
    fp32, int8 = made(tmp_path, method, **SHAPES["even"])
    light, texts = open_predictor(int8, threads=2), tagged_examples(40, 9).texts
    assert isinstance(light, LightPredictor) and light.engine == INT8_DEFAULT
    exact = flat(logits(LightPredictor(fp32, threads=1), texts))
    assert 0 < np.abs(flat(logits(light, texts)) - exact).mean() < 0.1 * exact.std()


def test_another_head_is_refused(tmp_path: Path) -> None:
    _, int8 = made(tmp_path, **SHAPES["even"])
    graph, told = read_onnx(int8.file("model.onnx")), int8.properties
    assert weights_of(graph, told).per_token
    width = int(told["hidden"])
    norm = {f"head_norm.{part}": np.ones(width, np.float32) for part in ("weight", "bias")}
    with pytest.raises(ValueError, match="it also has head_norm"):
        weights_of(replace(graph, constants=graph.constants | norm), told)
    bent = [*graph.nodes, Node("Tanh", ("logits",), ("bent",), {})]
    with pytest.raises(ValueError, match="3 activation functions for 2 layers"):
        weights_of(replace(graph, nodes=bent), told)
