"""The step `export.int8`: its gate, its word table, and what it may read."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from leanformer.artifact import Artifact
from leanformer.errors import DataError, GateError, RecipeError
from leanformer.export import int8
from leanformer.export.int8 import METHODS, Int8, _quantise_word_table
from leanformer.export.quantise import behind_norms
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from tests.making.graphs import folder_bytes, make_context, make_onnx
from tests.making.tiny import tiny_dataset, tiny_texts

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {}
BAD = ({"method": "sideways"}, {"word_table": "yes"})
DEFAULTS = "2 fe7628b24729"

TEXTS = tiny_texts(60, seed=9)[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact]:
    """An encoder artifact and its graph; read only."""
    return make_onnx(tmp_path_factory.mktemp("made"))


def weights(artifact: Artifact) -> dict[str, np.ndarray]:
    graph = onnx.load(artifact.file("model.onnx")).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


@pytest.mark.parametrize("reduce_range", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_the_answers_stay_near_and_the_graph_is_int8(method: str, reduce_range: bool, made: Any, tmp_path: Path):
    encoder, fp32 = made
    # Seven bits are half as fine, so the answers may stray further.
    share, flips = (0.4, 0.25) if reduce_range else (0.15, 0.05)
    step = Int8(method=method, reduce_range=reduce_range, max_mean_share=share, max_flips=flips)
    int8 = step(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    assert int8.properties["precision"] == f"int8 {method}"
    reference = logits(LightPredictor(fp32, threads=1), TEXTS)
    ours = logits(LightPredictor(int8, threads=1), TEXTS)
    difference = np.abs(ours - reference).mean() / reference.std()
    assert 0 < difference < share
    assert len(set(reference.argmax(axis=1))) == 3, "a model of one answer could not change its labels"
    assert (ours.argmax(axis=1) != reference.argmax(axis=1)).mean() <= flips
    held = weights(int8)
    quantised = [name for name, value in held.items() if value.dtype == np.int8 and value.ndim == 2]
    assert len(quantised) == 11 + 1, "each linear map, and the word table"
    largest = max(np.abs(held[name].astype(int)).max() for name in quantised if name != "word_table_int8")
    assert largest <= (64 if reduce_range else 127)
    assert largest > (32 if reduce_range else 100)
    big = [name for name, value in held.items() if value.dtype == np.float32 and value.ndim == 2 and value.size > 500]
    assert set(big) == {"position_table"}, "no fp32 copy of a large table stays behind"


@pytest.mark.parametrize("method", METHODS)
def test_the_gate_holds_back_what_strays(method: str, made: Any, tmp_path: Path):
    encoder, fp32 = made
    step = Int8(method=method, max_flips=0, max_mean_share=1e-9)
    with pytest.raises(GateError, match=r"export\.int8: the parity gate failed"):
        step(fp32, make_context(tmp_path, encoder), tmp_path / "steps" / "int8")
    assert list((tmp_path / "steps").iterdir()) == []


@pytest.mark.parametrize("method", METHODS)
def test_input_and_working_folder_are_untouched_and_bytes_repeat(
    method: str, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encoder, fp32 = made
    before, empty = folder_bytes(fp32.path), tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    step = Int8(method=method)
    hashes = [step(fp32, make_context(tmp_path, encoder), tmp_path / name).content_hash for name in ("one", "two")]
    assert hashes[0] == hashes[1]
    assert folder_bytes(fp32.path) == before
    assert os.listdir(empty) == []


def test_the_quantiser_is_kept_out_of_the_input(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It writes a file beside the graph that it is given, and a kill would leave that in somebody's model folder."""
    import onnxruntime.quantization as quantization

    encoder, graph = made
    folders: list[Path] = []
    original = quantization.quantize_dynamic

    def noting(source: Path, *arguments: Any, **named: Any) -> None:
        folders.append(Path(source).parent)
        original(source, *arguments, **named)

    monkeypatch.setattr(quantization, "quantize_dynamic", noting)
    context = make_context(tmp_path, encoder)
    Int8(method="dynamic")(graph, context, tmp_path / "int8")
    (folder,) = folders
    assert folder.is_relative_to(context.work) and not folder.is_relative_to(graph.path)
    assert list(context.work.iterdir()) == []


def test_static_ranges_need_training_text(made: Any, tmp_path: Path):
    encoder, fp32 = made
    data = replace(tiny_dataset(), train=None, unlabelled=None)
    with pytest.raises(DataError, match="calibrate"):
        Int8(method="static")(fp32, make_context(tmp_path, encoder, data=data), tmp_path / "int8")
    # Scales that come as they are need none, and the default can do with them; it says so.
    said: list[str] = []
    context = make_context(tmp_path, encoder, data=data, say=said.append)
    default, per_token = Int8()(fp32, context, tmp_path / "a"), Int8(method="per_token")(fp32, context, tmp_path / "b")
    assert default.content_hash == per_token.content_hash
    assert default.properties["precision"] == "int8 per_token"
    assert "no training texts" in said[0] and len(said) == 3


@pytest.mark.parametrize("split", ["train", "unlabelled"])
def test_calibration_reads_the_texts_it_may_and_no_other(split: str, made: Any, tmp_path: Path, monkeypatch: Any):
    encoder, fp32 = made
    data = tiny_dataset() if split == "train" else replace(tiny_dataset(), train=None)
    read: list[str] = []
    original = LightPredictor.tokenize

    def noted(self: LightPredictor, texts: Sequence[str]) -> list[np.ndarray]:
        read.extend(texts)
        return original(self, texts)

    monkeypatch.setattr(LightPredictor, "tokenize", noted)
    step = Int8(method="static", calibration_texts=30)
    step(fp32, make_context(tmp_path, encoder, data=data), tmp_path / "int8")
    assert data.dev is not None
    calibrated, judged = read[:30], read[30:]
    assert set(calibrated) <= set(getattr(data, split).texts)
    assert judged == list(data.dev.texts) * 2


def test_other_calibration_texts_give_other_ranges(made: Any, tmp_path: Path):
    encoder, fp32 = made
    context, step = (
        make_context(tmp_path, encoder),
        Int8(method="static", calibration_texts=3, max_flips=1, max_mean_share=10),
    )
    one = step(fp32, context, tmp_path / "one")
    other = step(fp32, replace(context, seed=99), tmp_path / "other")
    assert one.content_hash != other.content_hash


def test_mixed_calibrates_behind_norms_alone(made: Any, tmp_path: Path):
    encoder, fp32 = made
    context = make_context(tmp_path, encoder)
    mixed, static = (Int8(method=method)(fp32, context, tmp_path / method) for method in ("mixed", "static"))
    calibrated, all_calibrated = (
        {name.removesuffix(".range_scale") for name in weights(artifact) if name.endswith(".range_scale")}
        for artifact in (mixed, static)
    )
    assert calibrated == behind_norms(onnx.load(fp32.file("model.onnx")))
    assert calibrated < all_calibrated, "what goes through an activation function has a scale per token"


def test_int8_needs_dev_texts(made: Any, tmp_path: Path):
    encoder, fp32 = made
    with pytest.raises(DataError, match="dev"):
        Int8()(fp32, make_context(tmp_path, encoder, data=replace(tiny_dataset(), dev=None)), tmp_path / "int8")


def test_a_quantised_graph_is_not_quantised_again(made: Any, tmp_path: Path):
    encoder, fp32 = made
    int8 = Int8()(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    with pytest.raises(RecipeError, match="quantised already"):
        Int8()(int8, make_context(tmp_path, encoder), tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_each_row_of_the_word_table_has_its_own_scale(made: Any):
    graph = onnx.load(made[1].file("model.onnx"))
    (original,) = (numpy_helper.to_array(tensor) for tensor in graph.graph.initializer if tensor.name == "word_table")
    # Rows of very different size, one of them all zero: one scale for all would lose the small ones.
    original = original * np.logspace(-4, 2, len(original), dtype=np.float32)[:, None]
    original[5] = 0
    for tensor in graph.graph.initializer:
        if tensor.name == "word_table":
            tensor.CopyFrom(numpy_helper.from_array(original, "word_table"))
    _quantise_word_table(graph)
    onnx.checker.check_model(graph, full_check=True)
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    assert "word_table" not in held
    rows, scales = held["word_table_int8"], held["word_table_scales"]
    assert (rows.dtype, scales.shape) == (np.int8, (len(original), 1))
    error = np.abs(rows.astype(np.float64) * scales - original)
    assert (error <= scales / 2 * (1 + 1e-5)).all()
    assert (np.abs(rows).max(axis=1)[np.arange(len(rows)) != 5] == 127).all()
    assert (error[5] == 0).all()


def test_the_word_table_may_stay_as_it_is(made: Any, tmp_path: Path):
    encoder, fp32 = made
    int8 = Int8(word_table=False)(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    np.testing.assert_array_equal(weights(int8)["word_table"], weights(fp32)["word_table"])


@pytest.mark.parametrize(
    "options",
    [{"method": "sideways"}, {"calibration_texts": 0}, {"percentile": 50}, {"percentile": 101}, {"gate_texts": 0}],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]):
    with pytest.raises(RecipeError, match=next(iter(options))):
        Int8(**options)


def test_a_map_left_in_fp32_fails_the_step(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    encoder, fp32 = made
    monkeypatch.setattr(int8, "_dynamic", lambda source, reduce_range, work: onnx.load(source))
    with pytest.raises(GateError, match=r"11 linear maps stayed in fp32, the first is layer0\.query_key_value\.matmul"):
        Int8(method="dynamic")(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    assert not (tmp_path / "int8").exists()


def test_the_quantiser_gives_no_advice(made: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    encoder, fp32 = made
    Int8(max_flips=1.0, max_mean_share=10)(fp32, make_context(tmp_path, encoder), tmp_path / "int8")
    assert caplog.records == []
    logging.getLogger().warning("still heard")
    assert len(caplog.records) == 1
