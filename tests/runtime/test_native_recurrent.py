"""The native engine on recurrent students: near fp32, the same bits in any company, and what it refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.errors import ArtifactError
from leanformer.export.int8 import METHODS, Int8
from leanformer.export.onnx import Onnx
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.runtime.engines import native_engine
from leanformer.runtime.engines.engine import Engine, OnnxEngine
from leanformer.runtime.engines.native_engine import NativeEngine
from leanformer.runtime.native.recurrent import recurrent_weights_of
from leanformer.runtime.predictor import LightPredictor
from leanformer.tagging.ragged import flat
from tests.making.graphs import make_context
from tests.making.native import INT8_DEFAULT, needs_compiler, usable_levels
from tests.making.recurrent import recurrent_artifact, tiny_recurrent
from tests.making.tagged import tagged_dataset, tagged_examples
from tests.making.tiny import tiny_dataset

pytestmark = needs_compiler

# Widths that are multiples of 16 and that are none, less than a vector and more than a panel.
SHAPES: dict[str, dict[str, Any]] = {
    "small": {"embedding": 12, "units": 8, "projection": 20},
    "even": {"embedding": 32, "units": 16, "projection": 64},
    "odd": {"embedding": 41, "units": 37, "projection": 71},
}
LOOSE = {"max_flips": 1.0, "max_mean_share": 10.0}


def made(folder: Path, *, pooling: str = "none", method: str = "mixed", **shape: int) -> tuple[Artifact, Artifact]:
    """A student's graph, and the same in int8."""
    model = tiny_recurrent(pooling=pooling, **shape)
    student = recurrent_artifact(folder / "student", model=model)
    data = tagged_dataset() if pooling == "none" else tiny_dataset()
    context = make_context(folder, student, data=data)
    fp32 = Onnx(max_difference=1e-3)(student, context, folder / "fp32")
    return fp32, Int8(method=method, **LOOSE)(fp32, context, folder / "int8")


def native(artifact: Artifact, **options: Any) -> NativeEngine:
    return NativeEngine(artifact.file("model.onnx"), artifact.properties, **options)


def some_rows(vocabulary: int, count: int = 60, longest: int = 40) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    lengths = np.concatenate([[1, 2, longest], generator.integers(1, longest + 1, count - 3)])
    return [generator.integers(0, vocabulary, n).astype(np.int32) for n in lengths]


def run(engine: Engine, rows: list[np.ndarray], per_token: bool, tokens: int | None = None) -> np.ndarray:
    """Logits of every token of every row, or of every row, in the order of the rows."""
    counts = [len(row) if per_token else 1 for row in rows]
    parts: dict[int, np.ndarray] = {}
    for lines in engine.cut(rows, tokens):
        order = [i for line in lines for i in line]
        values = engine.run(rows, lines)
        ends = np.cumsum([counts[i] for i in order])
        parts |= dict(zip(order, np.split(values, ends[:-1]), strict=True))
    return np.concatenate([parts[i] for i in range(len(rows))])


def words(artifact: Artifact) -> int:
    graph = native_engine.read_onnx(artifact.file("model.onnx"))
    return recurrent_weights_of(graph, artifact.properties).vocabulary


@pytest.mark.parametrize("pooling", ["none", "ends"])
@pytest.mark.parametrize("name", SHAPES)
def test_as_near_to_fp32_as_onnx_runtime(tmp_path: Path, name: str, pooling: str) -> None:
    fp32, int8 = made(tmp_path, pooling=pooling, **SHAPES[name])
    rows, per_token = some_rows(words(int8)), pooling == "none"
    exact = run(OnnxEngine(fp32.file("model.onnx"), 1), rows, per_token)
    theirs = run(OnnxEngine(int8.file("model.onnx"), 1), rows, per_token)
    found = {level: run(native(int8, level=level), rows, per_token) for level in usable_levels(recurrent=True)}
    assert exact.std() > 0.2
    for level, ours in found.items():
        assert ours.shape == exact.shape
        assert 0 < np.abs(ours - exact).mean() < min(0.05 * exact.std(), 1.2 * np.abs(theirs - exact).mean()), level
    assert len({values.tobytes() for level, values in found.items() if level != "generic"}) <= 1, "the same bits, too"


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["none", "ends"])
@pytest.mark.parametrize("level", usable_levels(recurrent=True))
def test_the_same_bits_alone_and_in_any_company(tmp_path: Path, level: str, pooling: str) -> None:
    _, int8 = made(tmp_path, pooling=pooling, **SHAPES["odd"])
    engine, rows, per_token = native(int8, level=level), some_rows(words(int8), 150), pooling == "none"
    alone = run(engine, rows, per_token, 1)
    for tokens in (30, 300, 10_000):  # the products of the last are made in several parts
        assert np.array_equal(run(engine, rows, per_token, tokens), alone)
    # In any order too: the engine itself puts the longest first.
    assert np.array_equal(engine.run(rows, [[i] for i in range(len(rows))]), alone)
    for threads in (2, 3):
        crew = engine.together(threads)
        for tokens in (1, 300, 10_000):
            assert np.array_equal(run(crew, rows, per_token, tokens), alone)
    with ThreadPoolExecutor(4) as pool:
        calls = list(pool.map(lambda i: crew.run(rows, [[i]]), list(range(len(rows))) * 3))
    assert np.array_equal(np.concatenate(calls), np.tile(alone, (3, 1)))


def test_every_array_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, int8 = made(tmp_path, **SHAPES["odd"])
    rows, original = some_rows(words(int8)), native_engine.recurrent_weights_of
    right = run(native(int8), rows, per_token=True)
    arrays = original(native_engine.read_onnx(int8.file("model.onnx")), int8.properties).arrays
    # Of the maps from a state to its gates the bias is the input's; the head of the tiny model has none.
    nothing = [index for index, array in enumerate(arrays) if array is not None and not array.any()]
    assert len(nothing) == 3
    for index in range(len(arrays)):

        def changed(graph: Any, properties: Any, index: int = index) -> Any:
            weights = original(graph, properties)
            array = weights.arrays[index]
            assert array is not None
            weights.arrays[index] = np.roll(array, 1) if array.std() else array + np.float32(0.5)
            return weights

        monkeypatch.setattr(native_engine, "recurrent_weights_of", changed)
        assert not np.array_equal(run(native(int8), rows, per_token=True), right), index


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_kind_of_int8_file_is_run_unless_told_otherwise(tmp_path: Path, method: str) -> None:
    fp32, int8 = made(tmp_path, method=method, **SHAPES["even"])
    texts = tagged_examples(40, 9).texts
    light = open_predictor(int8, threads=2)
    assert isinstance(light, LightPredictor) and light.engine == INT8_DEFAULT
    assert open_predictor(fp32, threads=2).engine == "onnxruntime"  # type: ignore[attr-defined]
    exact, found = flat(logits(LightPredictor(fp32, threads=1), texts)), flat(logits(light, texts))
    assert 0 < np.abs(found - exact).mean() < 0.1 * exact.std()
    assert light.predict([texts[0]])[0].tags == LightPredictor(fp32).predict([texts[0]])[0].tags


def test_a_word_table_in_fp32_is_rounded_by_row(tmp_path: Path) -> None:
    _, int8 = made(tmp_path, **SHAPES["even"])
    graph = native_engine.read_onnx(int8.file("model.onnx"))
    rows, scales = graph.constants["word_table_int8"], graph.constants["word_table_scales"]
    rest = {name: constant for name, constant in graph.constants.items() if not name.startswith("word_table")}
    whole = replace(graph, constants=rest | {"word_table": (rows * scales).astype(np.float32)})
    ours = recurrent_weights_of(whole, int8.properties).arrays
    assert ours[0] is not None and ours[1] is not None
    np.testing.assert_allclose(ours[0] * ours[1][:, None], rows * scales, atol=0.51 * float(ours[1].max()))


def test_graphs_that_compute_something_else_are_refused(tmp_path: Path) -> None:
    fp32, int8 = made(tmp_path, **SHAPES["even"])
    with pytest.raises(ArtifactError, match=r"0 LSTM in int8[\s\S]*onnxruntime"):
        native(fp32)
    graph = native_engine.read_onnx(int8.file("model.onnx"))
    told = dict(int8.properties)
    for name, change in {"units": 17, "embedding": 33, "projection": 63, "pooling": "ends"}.items():
        with pytest.raises(ValueError):
            recurrent_weights_of(graph, told | {name: change})
    for node in (node for node in graph.nodes if node.operator == "DynamicQuantizeLSTM"):
        others = [
            replace(node, attributes=node.attributes | {"activations": None}),
            replace(node, inputs=(*node.inputs[:5], "state", *node.inputs[6:])),
            replace(node, operator="LSTM"),
        ]
        for other in others:
            nodes = [other if kept is node else kept for kept in graph.nodes]
            with pytest.raises(ValueError, match="LSTM"):
                recurrent_weights_of(replace(graph, nodes=nodes), told)
    more = replace(graph, constants=graph.constants | {"another": np.ones(9, np.float32)})
    with pytest.raises(ValueError, match="it also has another"):
        recurrent_weights_of(more, told)
    # Constants of another size are never read.
    for name, value in graph.constants.items():
        if value.ndim == 0 or value.size < 3 or name.startswith(("ints_", "token.")) or name.endswith(".zero"):
            continue
        for axis in range(value.ndim):
            shorter = np.ascontiguousarray(np.take(value, range(value.shape[axis] - 1), axis))
            with pytest.raises(ValueError):
                recurrent_weights_of(replace(graph, constants=graph.constants | {name: shorter}), told)


def test_nothing_outside_the_table_is_read(tmp_path: Path) -> None:
    _, int8 = made(tmp_path, **SHAPES["even"])
    engine, count = native(int8), words(int8)
    for ids in ([count], [-1], []):
        with pytest.raises(ValueError, match=f"has {count} ids"):
            engine.run([np.array(ids, np.int32)], [[0]])
