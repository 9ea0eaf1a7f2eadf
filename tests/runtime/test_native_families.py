"""The native engine on every mapped family: relative biases, rotary angles, windows, pre-norm layers, vectors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.export import quantise
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.runtime.engines.native_engine import NativeEngine, read_onnx
from leanformer.runtime.native.weights import weights_of
from leanformer.runtime.predictor import LightPredictor
from leanformer.shapes.encoder import EncoderConfig, LayerShape, RelativeBias
from leanformer.shapes.head import HeadShape
from leanformer.task import Task
from tests.making.family_models import family_artifact
from tests.making.graphs import make_context, make_embedder, make_onnx
from tests.making.native import INT8_DEFAULT, needs_compiler, usable_levels
from tests.making.tiny import TASK, tiny_classifier, tiny_config, tiny_kind_dataset
from tests.runtime.test_native import (
    LOOSE,
    check_every_array,
    int8_of,
    made,
    over_whole_range,
    run,
    shares_close,
    some_rows,
    with_weights_undone,
)
from tests.runtime.test_native_tagger import made as made_tagger

pytestmark = needs_compiler

Shape = dict[str, Any]
# Widths that are no multiple of 16, heads that do not span the hidden width, heads removed, layers that differ.
MPNET: Shape = {
    "hidden": 40,
    "head_size": 12,
    "token_types": 0,
    "relative_bias": RelativeBias(buckets=8, max_distance=20, heads=5),
    "layers": (LayerShape(3, 40, bias_columns=(4, 0, 2)), LayerShape(2, 70, bias_columns=(1, 3)), LayerShape(5, 24)),
}
MODERNBERT: Shape = {
    "hidden": 40,
    "head_size": 12,
    "token_types": 0,
    "position_table": False,
    "norm_first": True,
    "gated_ffn": True,
    "attention_bias": False,
    "ffn_bias": False,
    "norm_bias": False,
    "norm_epsilon": 1e-5,
    "layers": (
        LayerShape(3, 40, rotary_base=1000.0, attention_norm=False),
        LayerShape(2, 70, rotary_base=50.0, window=5),
        LayerShape(5, 24, rotary_base=50.0, window=5),
    ),
    "head": HeadShape(activation="gelu", norm=True, bias=False),
}
_LAST_GLOBAL = (LayerShape(2, 33, rotary_base=50.0, window=3), LayerShape(3, 24, rotary_base=1000.0))
SHAPES: dict[str, Shape] = {
    "mpnet": MPNET,
    "mpnet, equal layers": MPNET | {"head_size": 8, "layers": (LayerShape(5, 40),) * 2},
    "mpnet, one layer": MPNET | {"layers": (LayerShape(1, 24, bias_columns=(3,)),)},
    "modernbert": MODERNBERT,
    "modernbert, mean": MODERNBERT | {"head": HeadShape("mean", "gelu_tanh", norm=True)},
    "modernbert, first layers removed": MODERNBERT | {"layers": _LAST_GLOBAL},
    "modernbert, biases": MODERNBERT | {"attention_bias": True, "ffn_bias": True, "norm_bias": True},
    "modernbert, one layer": MODERNBERT | {"layers": (LayerShape(2, 24, rotary_base=9.0, attention_norm=False),)},
    "narrow heads": MODERNBERT | {"head_size": 8, "layers": (LayerShape(1, 8, window=0, rotary_base=50.0),) * 2},
    "wide heads": MODERNBERT | {"head_size": 128, "layers": (LayerShape(1, 8, rotary_base=50.0, window=20),) * 2},
    "all of it": MPNET | {
        "token_types": 2, "embedding": 24, "norm_first": True, "activation": "relu", "head": HeadShape("mean"),
        "relative_bias": RelativeBias(buckets=64, max_distance=64, heads=5),  # another bias at each distance
        "layers": (LayerShape(5, 40, window=9, rotary_base=50.0), LayerShape(1, 70, bias_columns=(2,), window=7)),
    },
    "mean of post-norm layers": {"head": HeadShape(pooling="mean"), "head_size": 20, "layers": (LayerShape(2, 40),)},
}  # fmt: skip
STOCK = [
    *(("roberta", "plain"), ("roberta", "two types"), ("roberta", "one head, one logit"), ("xlm-roberta", "plain")),
    *(("camembert", "plain"), ("distilbert", "plain"), ("distilbert", "sinusoidal"), ("electra", "plain")),
    *(("electra", "no projection"), ("mpnet", "plain"), ("mpnet", "gelu_new"), ("mpnet", "one head, one logit")),
    *(("modernbert", "plain"), ("modernbert", "mean"), ("modernbert", "biases"), ("modernbert", "all local")),
    *(("modernbert", "other angles"), ("modernbert", "relu"), ("modernbert", "one layer, one logit")),
]


def compared(folder: Path, fp32: Artifact, int8: Artifact, encoder: Artifact, rows: list[np.ndarray]) -> None:
    """Every level against ONNX Runtime with the same weights, as in `test_native`."""
    path = int8.file("model.onnx")
    usual, exact = run(OnnxEngine(path, 1), rows), run(OnnxEngine(fp32.file("model.onnx"), 1), rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantise, "_per_token", over_whole_range)
        whole = int8_of(folder / "whole", fp32, encoder).file("model.onnx")
    onnx.save(with_weights_undone(onnx.load(whole)), folder / "whole.onnx")
    theirs = run(OnnxEngine(folder / "whole.onnx", 1), rows)
    bits = set()
    for level in usable_levels():
        engine = NativeEngine(path, int8.properties, level=level)
        found = run(engine, rows)
        close, mean = shares_close(found, theirs)
        assert close >= 0.15 and mean < 0.05, (level, close, mean)
        # The usual range has zero in its middle, so that it is longer.
        assert np.abs(found - exact).mean() < 1.2 * np.abs(usual - exact).mean(), level
        if level != "generic":
            bits.add(found.tobytes())
        alone = np.concatenate([engine.run(rows, [[i]]) for i in range(len(rows))])
        for tokens, threads in ((1, 1), (100, 2), (10_000, 3)):
            assert np.array_equal(run(engine.together(threads), rows, tokens), alone), (level, tokens, threads)
    assert len(bits) <= 1, "the same bits at every level"


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_odd_shapes(tmp_path: Path, name: str) -> None:
    encoder, fp32 = make_onnx(tmp_path, config=tiny_config(**SHAPES[name]))
    compared(tmp_path, fp32, int8_of(tmp_path, fp32, encoder), encoder, some_rows())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mpnet", "all of it"])
def test_biases_that_decide(tmp_path: Path, name: str) -> None:
    """Large ones, so that one of a wrong distance or head shows."""
    model = tiny_classifier(tiny_config(**SHAPES[name]), 11)
    assert model.encoder.bias.relative is not None
    with torch.no_grad():
        model.encoder.bias.relative.weight.mul_(20)
    encoder, fp32 = make_onnx(tmp_path, model=model)
    compared(tmp_path, fp32, int8_of(tmp_path, fp32, encoder), encoder, some_rows())


@pytest.mark.slow
@pytest.mark.parametrize(("family", "variant"), STOCK, ids=lambda name: name.replace(" ", "_"))
def test_stock_models_of_each_family(tmp_path: Path, family: str, variant: str) -> None:
    labels = 1 if "one logit" in variant else 3
    task = Task("regression", ()) if labels == 1 else TASK
    data = tiny_kind_dataset("regression", (20, 30, 5, 5)) if labels == 1 else None
    encoder = family_artifact(tmp_path / "encoder", family, variant, task=task)
    fp32 = Onnx()(encoder, make_context(tmp_path, encoder, data=data), tmp_path / "onnx")
    step = Int8(method="per_token", **LOOSE)
    int8 = step(fp32, make_context(tmp_path / "i", encoder, data=data), tmp_path / "int8")
    rows = [row % 40 for row in some_rows(longest=24)]
    found = {level: run(NativeEngine(int8.file("model.onnx"), int8.properties, level=level), rows)
             for level in usable_levels()}  # fmt: skip
    exact, usual = (run(OnnxEngine(each.file("model.onnx"), 1), rows) for each in (fp32, int8))
    for level, ours in found.items():
        assert np.abs(ours - exact).mean() < 1.2 * np.abs(usual - exact).mean(), level
    assert len({ours.tobytes() for level, ours in found.items() if level != "generic"}) <= 1
    assert open_predictor(int8, threads=1).engine == INT8_DEFAULT


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mpnet", "modernbert", "all of it"])
def test_every_map_norm_and_table_matters(tmp_path: Path, name: str) -> None:
    check_every_array(made(tmp_path, **SHAPES[name]))


@pytest.mark.slow
def test_the_longest_texts(tmp_path: Path) -> None:
    """Every block of queries with a window of its own, at every distance to the ends."""
    lengths = (512, 1, 511, 128, 33, 17, 100, 64, 300)
    rows = [np.resize(row, length) for row, length in zip(some_rows(9, 512), lengths, strict=True)]
    for shape in (MPNET, MODERNBERT):
        folder = tmp_path / str(shape.get("norm_first", "post"))
        encoder, fp32 = make_onnx(folder, config=tiny_config(**shape, positions=512))
        compared(folder, fp32, int8_of(folder, fp32, encoder), encoder, rows)


def without_position_parts(config: EncoderConfig) -> dict[str, EncoderConfig]:
    """The same weights with one part left out each."""
    layers = config.layers
    changed = {
        "windows": [replace(layer, window=None) for layer in layers],
        "angles": [replace(layer, rotary_base=None) for layer in layers],
        "the last layer's angles": [*layers[:-1], replace(layers[-1], rotary_base=1000.0)],
    }
    return {name: replace(config, layers=tuple(each)) for name, each in changed.items()}


def test_left_out_positions_would_be_seen(tmp_path: Path) -> None:
    """What is compared above depends on windows and angles by more than its tolerance."""
    _, fp32 = make_onnx(tmp_path, config=tiny_config(**MODERNBERT))
    rows = some_rows()
    right = run(OnnxEngine(fp32.file("model.onnx"), 1), rows)
    for name, config in without_position_parts(tiny_config(**MODERNBERT)).items():
        _, other = make_onnx(tmp_path / name.replace(" ", "_"), config=config)
        assert shares_close(run(OnnxEngine(other.file("model.onnx"), 1), rows), right)[1] > 0.05, name


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("family", ["bert", "mpnet", "modernbert"])
def test_vectors(tmp_path: Path, family: str, pooling: str) -> None:
    shape = {"bert": {}, "mpnet": MPNET, "modernbert": MODERNBERT}[family]
    _, fp32, int8 = make_embedder(tmp_path, pooling, **shape)
    assert open_predictor(int8, threads=1).engine == INT8_DEFAULT
    rows = some_rows(longest=32)
    exact, usual = (run(OnnxEngine(each.file("model.onnx"), 1), rows) for each in (fp32, int8))
    bits = set()
    for level in usable_levels():
        engine = NativeEngine(int8.file("model.onnx"), int8.properties, level=level)
        found = run(engine, rows)
        assert found.shape == exact.shape
        assert np.abs(found - exact).mean() < 1.2 * np.abs(usual - exact).mean() < 0.05 * exact.std(), level
        assert np.array_equal(run(engine.together(2), rows, 1), found)
        bits |= {found.tobytes()} if level != "generic" else set()
    assert len(bits) <= 1
    texts = ["rain and wind", "goal", "song of the band after rain"]
    given = LightPredictor(int8, threads=1, engine="native").predict(texts)
    np.testing.assert_allclose([np.linalg.norm(each.vector) for each in given], 1, atol=1e-6)


@pytest.mark.parametrize("shape", [MPNET, MODERNBERT | {"head": HeadShape()}], ids=["mpnet", "modernbert"])
def test_tags(tmp_path: Path, shape: Shape) -> None:
    fp32, int8 = made_tagger(tmp_path, **{name: value for name, value in shape.items() if name != "head"})
    rows, path = some_rows(), int8.file("model.onnx")
    order = np.random.default_rng(1).permutation(len(rows)).tolist()
    alone = partial(lambda engine: np.concatenate([engine.run(rows, [[i]]) for i in order]))
    exact, usual = alone(OnnxEngine(fp32.file("model.onnx"), 1)), alone(OnnxEngine(path, 1))
    engine = NativeEngine(path, int8.properties)
    found = alone(engine)
    assert 0 < np.abs(found - exact).mean() < 1.2 * np.abs(usual - exact).mean()
    assert np.array_equal(engine.together(2).run(rows, [order]), found)


@pytest.mark.parametrize("family", ["roberta", "mpnet", "modernbert", "electra"])
def test_pairs(tmp_path: Path, family: str) -> None:
    data = tiny_kind_dataset("pair", (20, 30, 5, 5))
    encoder = family_artifact(tmp_path / "encoder", family, task=data.task)
    context = make_context(tmp_path, encoder, data=data)
    int8 = Int8(method="per_token", **LOOSE)(Onnx()(encoder, context, tmp_path / "onnx"), context, tmp_path / "int8")
    assert data.dev is not None
    pairs = list(data.dev.inputs)
    expected, found = (logits(LightPredictor(int8, threads=1, engine=e), pairs) for e in ("onnxruntime", "native"))
    assert np.abs(found - expected).mean() < 0.05 * expected.std()


def test_tables_of_positions_for_several_lengths_are_refused(tmp_path: Path) -> None:
    int8 = made(tmp_path, **MPNET)
    graph = read_onnx(int8.file("model.onnx"))
    shorter = graph.constants | {"position_table": graph.constants["position_table"][:-1].copy()}
    with pytest.raises(ValueError, match=r"for \[63, 64\] tokens"):
        weights_of(replace(graph, constants=shorter), int8.properties)
