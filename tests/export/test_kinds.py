"""Graphs and gates of the other kinds: token types in the graph, and what counts as a changed answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.errors import GateError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.export.parity import check, compare
from leanformer.export.standard import write_standard_onnx
from leanformer.loading import open_predictor
from leanformer.measure.memory import measure_memory
from leanformer.models.classifier import Classifier
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import write_classifier
from leanformer.predictor import logits
from leanformer.step import Context
from leanformer.task import Task
from tests.making.tiny import LABELS, tiny_classifier, tiny_config, tiny_kind_dataset, tiny_tokenizer

DATA = tiny_kind_dataset("pair", sizes=(40, 40, 8, 8))


def encoder(folder: Path, **shape: Any) -> Artifact:
    model: Classifier = tiny_classifier(tiny_config(**shape))
    return write_classifier(
        model, folder / "encoder", task=Task("pair", LABELS), tokenizer=tiny_tokenizer(folder / "tokenizer"),
        max_tokens=32, history=[],
    )  # fmt: skip


def context(folder: Path, artifact: Artifact) -> Context:
    return Context(
        data=DATA, artifacts={"teacher": artifact}, work=folder / "work", cache=folder / "cache", device="cpu"
    )


def inputs(artifact: Artifact, name: str = "model.onnx") -> list[str]:
    return [input_.name for input_ in ort.InferenceSession(str(artifact.file(name))).get_inputs()]


@pytest.mark.parametrize("method", ["mixed", "per_token", "static", "dynamic"])
def test_pairs_go_through_graph_and_int8(method: str, tmp_path: Path) -> None:
    source = encoder(tmp_path)
    graph = Onnx()(source, context(tmp_path, source), tmp_path / "graph")
    assert inputs(graph) == ["ids", "positions", "segments", "first", "types"]
    loose = Int8(method=method, max_flips=1.0, max_mean_share=1.0)
    int8 = loose(graph, context(tmp_path, source), tmp_path / "int8")
    assert DATA.test is not None
    theirs = logits(TorchPredictor(source), DATA.test.inputs)
    assert np.abs(logits(open_predictor(graph, threads=1), DATA.test.inputs) - theirs).max() < 1e-4
    assert np.abs(logits(open_predictor(int8, threads=1), DATA.test.inputs) - theirs).mean() < 0.3 * theirs.std()


def test_a_graph_that_drops_the_types_does_not_pass_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from leanformer.runtime.engines.engine import OnnxEngine

    source, run = encoder(tmp_path), OnnxEngine.run
    monkeypatch.setattr(OnnxEngine, "run", lambda self, rows, lines: run(self, [row[:, 0] for row in rows], lines))
    with pytest.raises(GateError, match="parity gate"):
        Onnx()(source, context(tmp_path, source), tmp_path / "graph")


def test_a_model_with_one_token_type_has_no_input_for_them(tmp_path: Path) -> None:
    source = encoder(tmp_path, token_types=1)
    graph = Onnx()(source, context(tmp_path, source), tmp_path / "graph")
    assert inputs(graph) == ["ids", "positions", "segments", "first"]
    assert DATA.test is not None
    predictor = TorchPredictor(source)
    rows = predictor.tokenize(DATA.test.inputs)
    assert any(row[:, 1].any() for row in rows), "the tokenizer tells types that the model cannot look up"
    bare = predictor.infer([row[:, 0] for row in rows])
    assert np.array_equal(predictor.infer(rows), bare)
    assert np.abs(open_predictor(graph, threads=1).infer(rows) - bare).max() < 1e-4


def test_one_standard_file_for_pairs(tmp_path: Path) -> None:
    source = encoder(tmp_path)
    write_standard_onnx(source, tmp_path / "out.onnx")
    session = ort.InferenceSession(str(tmp_path / "out.onnx"))
    ids, types = np.array([[2, 80, 3, 71, 3]]), np.array([[0, 0, 0, 1, 1]])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types}
    with torch.inference_mode():
        model = TorchPredictor(source)._model
        theirs = model(torch.from_numpy(ids), torch.ones(1, 5), torch.from_numpy(types)).numpy()
    assert np.abs(session.run(["logits"], feeds)[0] - theirs).max() < 1e-4
    graph = Onnx()(source, context(tmp_path, source), tmp_path / "graph")
    write_standard_onnx(graph, tmp_path / "copy.onnx", token_types=True)
    session = ort.InferenceSession(str(tmp_path / "copy.onnx"))
    assert np.abs(session.run(["logits"], feeds)[0] - theirs).max() < 1e-4


def test_memory_is_measured_on_pairs(tmp_path: Path) -> None:
    source = encoder(tmp_path)
    graph = Onnx()(source, context(tmp_path, source), tmp_path / "graph")
    peak = measure_memory(graph, [("rain", "song"), ("goal", "snow")], "leanformer.loading:open_predictor", 1)
    assert peak is not None and peak > 10e6


def test_what_counts_as_a_changed_answer() -> None:
    reference = np.array([[2.0, -1.0], [0.5, 0.1], [-2.0, -3.0]], dtype=np.float32)
    near = reference + np.array([[0, 0], [-0.45, 0], [0, 0]], dtype=np.float32)  # the second: argmax changes
    one, several = Task("pair", ("a", "b")), Task("multilabel", ("a", "b"))
    assert compare(near, reference, one).flips == pytest.approx(1 / 3)
    assert compare(near, reference, several).flips == 0, "both stay above 0.5"
    strict = replace(several, thresholds=(0.55, 0.5))
    assert compare(near, reference, strict).flips == pytest.approx(1 / 3), "sigmoid(0.5) is 0.62, sigmoid(0.05) 0.51"
    score = compare(near[:, :1], reference[:, :1], Task("similarity", ()))
    assert score.flips == 0
    bounds: dict[str, Any] = {"step": "x", "max_difference": None, "flips": 0.0}
    check(score, mean_share=0.2, **bounds)
    with pytest.raises(GateError, match="mean logit difference"):
        check(score, mean_share=0.05, **bounds)
