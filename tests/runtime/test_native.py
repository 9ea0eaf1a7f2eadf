"""The native engine: against ONNX Runtime on the same weights, alone and in company, and what it refuses."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from leanformer.artifact import Artifact
from leanformer.errors import ArtifactError, LeanformerError, MissingCompilerError
from leanformer.export import quantise
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.metrics.probabilities import softmax
from leanformer.predictor import logits
from leanformer.runtime.engines import native_engine
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.runtime.engines.native_engine import NativeEngine
from leanformer.runtime.native import build
from leanformer.runtime.predictor import LightPredictor
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.head import HeadShape
from leanformer.task import Task
from tests.making.graphs import make_context, make_onnx
from tests.making.native import needs_compiler, usable_levels
from tests.making.tiny import VOCABULARY, tiny_artifact, tiny_config, tiny_kind_dataset

pytestmark = needs_compiler

# Widths that are no multiple of 16, heads that do not span the hidden width, layers that differ.
ODD: dict[str, Any] = {
    "hidden": 40,
    "head_size": 12,
    "layers": (LayerShape(3, 40), LayerShape(2, 70), LayerShape(5, 24)),
}
SHAPES: dict[str, dict[str, Any]] = {
    "even": {"hidden": 64, "head_size": 16, "layers": (LayerShape(4, 128), LayerShape(4, 128))},
    "odd": ODD,
    "one layer": {"layers": (LayerShape(4, 48),)},
    "no token types": {**ODD, "token_types": 0},
    "projected": {**ODD, "embedding": 24},
    "another head": {**ODD, "head": HeadShape(activation="gelu", norm=True)},
    "relu": {**ODD, "activation": "relu", "head": HeadShape(activation="relu")},
    "tanh gelu": {**ODD, "activation": "gelu_tanh"},
    "many labels": {**ODD, "labels": 77},
    "wide panels": {"hidden": 112, "head_size": 28, "layers": (LayerShape(4, 200), LayerShape(4, 208))},
}
LOOSE = {"max_flips": 1.0, "max_mean_share": 10.0}


def int8_of(folder: Path, fp32: Artifact, encoder: Artifact, method: str = "per_token") -> Artifact:
    return Int8(method=method, **LOOSE)(fp32, make_context(folder / method, encoder), folder / method / "int8")


def made(folder: Path, **changes: Any) -> Artifact:
    """A graph whose activations have one scale per token, as the engine's."""
    encoder, fp32 = make_onnx(folder, config=tiny_config(**changes))
    return int8_of(folder, fp32, encoder)


def some_rows(count: int = 40, longest: int = 64, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    lengths = np.concatenate([[1, 2, longest], generator.integers(1, longest + 1, count - 3)])
    return [generator.integers(0, len(VOCABULARY), n).astype(np.int32) for n in lengths]


def run(engine: Any, rows: list[np.ndarray], tokens: int | None = None) -> np.ndarray:
    parts = [(lines, engine.run(rows, lines)) for lines in engine.cut(rows, tokens)]
    result = np.empty((len(rows), parts[0][1].shape[1]), np.float32)
    for lines, part in parts:
        result[[i for line in lines for i in line]] = part
    return result


def over_whole_range(x: str, nodes: list[onnx.NodeProto], constants: dict[str, Any]) -> str:
    """In place of `quantise._per_token`: 256 steps from a token's least value to its largest, as in the engine."""
    constants |= {
        "token.axis": np.array([-1]), "token.nought": np.float32(0), "token.top": np.float32(255),
        "token.share": np.float32(1 / 255), "token.least": np.float32(1e-12),
    }  # fmt: skip
    for operator, inputs, output, attributes in (
        ("ReduceMax", [x, "token.axis"], f"{x}.largest", {"keepdims": 1}),
        ("ReduceMin", [x, "token.axis"], f"{x}.smallest", {"keepdims": 1}),
        ("Max", [f"{x}.largest", "token.nought"], f"{x}.high", {}),
        ("Min", [f"{x}.smallest", "token.nought"], f"{x}.low", {}),
        ("Sub", [f"{x}.high", f"{x}.low"], f"{x}.span", {}),
        ("Max", [f"{x}.span", "token.least"], f"{x}.spread", {}),
        ("Mul", [f"{x}.spread", "token.share"], f"{x}.scale", {}),
        ("Reciprocal", [f"{x}.scale"], f"{x}.inverse", {}),
        ("Mul", [f"{x}.low", f"{x}.inverse"], f"{x}.below", {}),
        ("Neg", [f"{x}.below"], f"{x}.depth", {}),
        ("Round", [f"{x}.depth"], f"{x}.zero", {}),
        ("Mul", [x, f"{x}.inverse"], f"{x}.scaled", {}),
        ("Round", [f"{x}.scaled"], f"{x}.rounded", {}),
        ("Add", [f"{x}.rounded", f"{x}.zero"], f"{x}.moved", {}),
        ("Clip", [f"{x}.moved", "token.nought", "token.top"], f"{x}.byte", {}),
        ("Sub", [f"{x}.byte", f"{x}.zero"], f"{x}.undone", {}),
    ):
        nodes.append(onnx.helper.make_node(operator, inputs, [output], name=output, **attributes))
    return f"{x}.undone"


def with_weights_undone(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights as the numbers that they stand for: ONNX Runtime would otherwise round activations in ways of its own."""
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in [
        candidate
        for candidate in model.graph.node
        if candidate.op_type == "DequantizeLinear" and candidate.input[0] in values
    ]:
        rows, scales = values[node.input[0]], values[node.input[1]]
        undone = onnx.numpy_helper.from_array(rows.astype(np.float32) * scales, node.output[0])
        model.graph.initializer.append(undone)
        model.graph.node.remove(node)
    return model


def shares_close(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """The share of rows that agree closely, and the mean difference, as a share of the spread."""
    off = np.abs(found - expected).max(axis=1) / expected.std()
    return float((off < 1e-4).mean()), float(off.mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_the_same_sums_as_onnx_runtime(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a value lies at the edge of two steps the last bit of fp32 decides, and such a step is large in so small a
    model; the other texts agree closely. The exact GELU is a polynomial here, so more lie at an edge.
    """
    encoder, fp32 = make_onnx(tmp_path, config=tiny_config(**SHAPES[name]))
    artifact, rows = int8_of(tmp_path, fp32, encoder), some_rows()
    path = artifact.file("model.onnx")
    usual, exact = run(OnnxEngine(path, 1), rows), run(OnnxEngine(fp32.file("model.onnx"), 1), rows)
    monkeypatch.setattr(quantise, "_per_token", over_whole_range)
    whole = int8_of(tmp_path / "whole", fp32, encoder).file("model.onnx")
    onnx.save(with_weights_undone(onnx.load(whole)), tmp_path / "whole.onnx")
    theirs = run(OnnxEngine(tmp_path / "whole.onnx", 1), rows)
    ours = {level: run(NativeEngine(path, artifact.properties, level=level), rows) for level in usable_levels()}
    enough = {"one layer": 0.9, "relu": 0.8, "tanh gelu": 0.8}.get(name, 0.15)
    for level, found in ours.items():
        close, mean = shares_close(found, theirs)
        assert close >= enough and mean < 0.05, level
        # The usual range has zero in its middle, so that it is longer.
        assert np.abs(found - exact).mean() < 1.2 * np.abs(usual - exact).mean(), level
    assert len({ours[level].tobytes() for level in ours if level != "generic"}) <= 1, "the same bits, too"


def check_every_array(artifact: Artifact) -> None:
    """A comparison would see a wrong weight: any array changed a little shows."""
    rows, path = some_rows(), artifact.file("model.onnx")
    right = run(NativeEngine(path, artifact.properties), rows)
    count = len(native_engine.weights_of(native_engine.read_onnx(path), artifact.properties).arrays)
    original = native_engine.weights_of
    for index in range(count):

        def changed(graph: Any, properties: Any, index: int = index) -> Any:
            weights = original(graph, properties)
            array = weights.arrays[index]
            if array is not None:
                array = array.copy()
                part = array.reshape(-1)
                part[:] = np.roll(part, 1) if part.std() else part + 0.5
                weights.arrays[index] = array
            return weights

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native_engine, "weights_of", changed)
            found = run(NativeEngine(path, artifact.properties), rows)
        unused = original(native_engine.read_onnx(path), artifact.properties).arrays[index] is None
        assert np.array_equal(found, right) == unused, index


def test_every_map_matters(tmp_path: Path) -> None:
    check_every_array(made(tmp_path, **ODD))


def test_pairs_have_token_types(tmp_path: Path) -> None:
    data = tiny_kind_dataset("pair")
    encoder = tiny_artifact(tmp_path / "encoder", config=tiny_config(**ODD), seed=11)
    assert data.task == Task("pair", data.task.labels)
    encoder = replace(encoder, task=Task("pair", encoder.task.labels))
    context = make_context(tmp_path, encoder, data=data)
    fp32 = Onnx()(encoder, context, tmp_path / "onnx")
    int8 = Int8(method="per_token", **LOOSE)(fp32, context, tmp_path / "int8")
    assert data.dev is not None
    pairs = list(data.dev.inputs)
    expected, found = (logits(LightPredictor(int8, threads=1, engine=e), pairs) for e in ("onnxruntime", "native"))
    assert np.abs(found - expected).mean() < 0.05 * expected.std()
    types_off = [(b, a) for a, b in pairs]
    assert np.abs(logits(LightPredictor(int8, threads=1, engine="native"), types_off) - found).max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("level", usable_levels())
@pytest.mark.parametrize("name", ["even", "odd"])
def test_the_same_bits_alone_and_in_any_company(tmp_path: Path, name: str, level: str) -> None:
    artifact, rows = made(tmp_path, **SHAPES[name]), some_rows(120)
    engine = NativeEngine(artifact.file("model.onnx"), artifact.properties, level=level)
    alone = np.concatenate([engine.run(rows, [[i]]) for i in range(len(rows))])
    for tokens in (1, 64, 200, 10_000):
        assert np.array_equal(run(engine, rows, tokens), alone)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: engine.run(rows, [[i]])[0], range(len(rows))))
    assert np.array_equal(np.stack(together), alone)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_bits_on_any_number_of_threads(tmp_path: Path, threads: int) -> None:
    artifact, rows = made(tmp_path, **SHAPES["odd"]), some_rows(120)
    engine = NativeEngine(artifact.file("model.onnx"), artifact.properties)
    alone = run(engine, rows)
    crew = engine.together(threads)
    del engine  # what they share stays
    for tokens in (1, 200):
        assert np.array_equal(run(crew, rows, tokens), alone)
    with ThreadPoolExecutor(4) as pool:  # more callers than crews
        calls = list(pool.map(lambda i: crew.run(rows, [[i]])[0], list(range(len(rows))) * 5))
    assert np.array_equal(np.stack(calls), np.tile(alone, (5, 1)))


def test_rousing_changes_nothing(tmp_path: Path) -> None:
    artifact, rows = made(tmp_path, **SHAPES["odd"]), some_rows(60)
    engine = NativeEngine(artifact.file("model.onnx"), artifact.properties)
    alone, crew = run(engine, rows), engine.together(2)
    engine.rouse()  # one thread has nobody to wake
    for pause in (0.0, 0.002, 0.02):  # roused in time, a little too early, and far too early
        crew.rouse()
        crew.rouse()
        time.sleep(pause)
        assert np.array_equal(run(crew, rows, 1), alone)
    with ThreadPoolExecutor(4) as pool:
        calls = list(pool.map(lambda i: (crew.rouse(), crew.run(rows, [[i]])[0])[1], list(range(len(rows))) * 5))
    assert np.array_equal(np.stack(calls), np.tile(alone, (5, 1)))


@pytest.mark.parametrize("method", ["mixed", "per_token", "static", "dynamic"])
def test_every_kind_of_int8_file_runs(tmp_path: Path, method: str) -> None:
    encoder, fp32 = make_onnx(tmp_path, config=tiny_config(**ODD))
    int8 = int8_of(tmp_path, fp32, encoder, method)
    rows = some_rows(longest=32)
    exact = softmax(LightPredictor(fp32, threads=1).infer(rows))
    found = softmax(LightPredictor(int8, threads=2, engine="native").infer(rows))
    theirs = softmax(LightPredictor(int8, threads=1).infer(rows))
    assert np.abs(found - exact).mean() <= 1.5 * np.abs(theirs - exact).mean()


def test_graphs_that_compute_something_else_are_refused(tmp_path: Path) -> None:
    encoder, fp32 = make_onnx(tmp_path / "fp32")
    with pytest.raises(ArtifactError, match=r"not in int8[\s\S]*onnxruntime"):
        LightPredictor(fp32, threads=1, engine="native").predict(["rain"])
    int8 = int8_of(tmp_path, fp32, encoder)
    graph = native_engine.read_onnx(int8.file("model.onnx"))
    (norm,) = (node for node in graph.nodes if node.outputs == ("layer0.ffn_norm",))
    for nodes, problem in (
        ([*graph.nodes, norm], "other norms"),
        ([node for node in graph.nodes if node.operator != "Softmax"], "other norms or attention"),
        ([*graph.nodes, replace(norm, operator="Sin")], "also computes Sin"),
        ([node for node in graph.nodes if node.outputs != ("layer0.masked_scores",)], "masked_scores"),
    ):
        with pytest.raises(ValueError, match=problem):
            native_engine.weights_of(replace(graph, nodes=nodes), int8.properties)
    with pytest.raises(ArtifactError, match="manifest"):
        NativeEngine(int8.file("model.onnx"), int8.properties | {"layers": [[4, 47], [4, 48]]})


def test_nothing_outside_the_tables_is_read(tmp_path: Path) -> None:
    encoder, _ = make_onnx(tmp_path / "one")
    context = make_context(tmp_path, encoder, data=tiny_kind_dataset("pair"))
    encoder = replace(encoder, task=Task("pair", encoder.task.labels))
    artifact = Int8(method="per_token", **LOOSE)(
        Onnx()(encoder, context, tmp_path / "onnx"), context, tmp_path / "int8"
    )
    engine = NativeEngine(artifact.file("model.onnx"), artifact.properties)
    for ids in ([len(VOCABULARY)], [-1], [], [1] * 65, [[5, 2]], [[5, -1]]):
        with pytest.raises(ValueError, match="64 positions"):
            engine.run([np.array(ids, np.int32)], [[0]])


def test_constants_of_another_size_are_refused_and_never_read(tmp_path: Path) -> None:
    artifact = made(tmp_path, **ODD)
    graph = native_engine.read_onnx(artifact.file("model.onnx"))
    for name, value in graph.constants.items():
        if value.ndim == 0 or value.size < 3 or name.startswith("ints_") or name.endswith(".zero"):
            continue
        for axis in range(value.ndim):
            shorter = np.ascontiguousarray(np.take(value, range(value.shape[axis] - 1), axis))
            damaged = replace(graph, constants=graph.constants | {name: shorter})
            if axis == 0 and name in ("position_table", "token_type_table"):
                continue  # fewer positions are fewer positions
            with pytest.raises(ValueError):
                native_engine.weights_of(damaged, artifact.properties)


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    build.library.cache_clear()
    try:
        with pytest.raises(MissingCompilerError, match="apt install"):
            build.library()
        monkeypatch.setenv("CXX", "no-such-compiler")
        with pytest.raises(MissingCompilerError):
            build.library()
    finally:
        build.library.cache_clear()


def test_a_compiler_that_fails_says_how_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "broken"
    compiler.write_text("#!/bin/sh\necho cannot do that >&2\nexit 3\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("LEANFORMER_CACHE", str(tmp_path / "cache"))
    build.library.cache_clear()
    try:
        with pytest.raises(LeanformerError, match="cannot do that"):
            build.library()
    finally:
        build.library.cache_clear()
    assert [path.name for path in (tmp_path / "cache" / "native").iterdir()] == [build._LOCK]


def test_a_cache_that_others_can_write_to_is_not_loaded_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "native"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    monkeypatch.setenv("LEANFORMER_CACHE", str(tmp_path / "cache"))
    build.library.cache_clear()
    try:
        with pytest.raises(LeanformerError, match="chmod go-w"):
            build.library()
    finally:
        build.library.cache_clear()


def test_packed_int8_graphs_run_on_it_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, fp32 = make_onnx(tmp_path)
    int8 = int8_of(tmp_path, fp32, encoder)
    monkeypatch.setattr("leanformer.runtime.settings.is_fast", lambda: True)
    assert LightPredictor(int8).engine == "native" and LightPredictor(fp32).engine == "onnxruntime"
    assert LightPredictor(int8, engine="onnxruntime").engine == "onnxruntime"
    monkeypatch.setattr("leanformer.runtime.settings.can_run", lambda: False)
    assert LightPredictor(int8).engine == "onnxruntime"


def test_what_it_does_not_run_goes_to_onnx_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, fp32 = make_onnx(tmp_path)
    int8 = int8_of(tmp_path, fp32, encoder)
    rows = some_rows(longest=32)
    expected = LightPredictor(int8, threads=1, engine="onnxruntime").infer(rows)

    def refuse(*arguments: object) -> None:
        raise ArtifactError("not this one")

    def fail(uses: object) -> None:
        raise MissingCompilerError("no compiler after all")

    monkeypatch.setattr("leanformer.runtime.settings.is_fast", lambda: True)
    monkeypatch.setattr("leanformer.runtime.engines.native_engine.weights_of", refuse)
    with pytest.raises(ArtifactError):
        LightPredictor(int8, threads=1, engine="native").infer(rows)
    predictor = LightPredictor(int8, threads=1)
    assert np.array_equal(predictor.infer(rows), expected) and predictor.engine == "onnxruntime"
    monkeypatch.undo()
    monkeypatch.setattr("leanformer.runtime.settings.is_fast", lambda: True)
    monkeypatch.setattr("leanformer.runtime.engines.native_engine.load_library", fail)
    native_engine._loaded.cache_clear()
    with pytest.warns(UserWarning, match="slower"):
        assert np.array_equal(LightPredictor(int8, threads=1).infer(rows), expected)
    native_engine._loaded.cache_clear()
