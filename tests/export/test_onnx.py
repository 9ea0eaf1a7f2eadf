"""The step `export.onnx`: the artifact it writes, and the parity gate in front of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from leanformer.artifact import open_artifact
from leanformer.errors import ArtifactError, DataError, GateError, RecipeError
from leanformer.export.graphs import encoder_graph as graphs
from leanformer.export.graphs import packed_graph as packed
from leanformer.export.onnx import Onnx
from leanformer.export.parity import check, compare
from leanformer.export.standard import write_standard_onnx
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.shapes.encoder import LayerShape
from leanformer.task import Task
from tests.making.graphs import folder_bytes, make_context, make_onnx
from tests.making.tiny import tiny_artifact, tiny_config, tiny_dataset, tiny_texts

AB = Task("classification", ("a", "b"))
# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {}
BAD = ({"gate_texts": 0}, {"max_difference": "small"})
DEFAULTS = "2 b31b11628982"

TEXTS = tiny_texts(25, seed=5)[0]


def test_the_artifact_answers_as_pytorch_does(tmp_path: Path):
    encoder, ours = make_onnx(tmp_path, config=tiny_config(layers=(LayerShape(3, 20), LayerShape(1, 48))))
    expected = logits(TorchPredictor(encoder), TEXTS)
    np.testing.assert_allclose(logits(LightPredictor(ours, threads=1), TEXTS), expected, atol=1e-4, rtol=0)
    assert (ours.format, ours.task, ours.max_tokens) == ("onnx", encoder.task, encoder.max_tokens)
    assert ours.properties["layers"] == [[3, 20], [1, 48]]
    entry = ours.history[-1]
    assert (entry["step"], entry["parent"]) == ("export.onnx", encoder.content_hash)
    assert entry["parity"]["n"] == 40
    assert entry["parity"]["max_difference"] < 1e-4


def test_the_input_is_untouched(tmp_path: Path):
    encoder = tiny_artifact(tmp_path / "encoder")
    before = folder_bytes(encoder.path)
    Onnx()(encoder, make_context(tmp_path, encoder), tmp_path / "onnx")
    assert folder_bytes(encoder.path) == before


def _with_a_corrupted_weight(name: str, original: Any = packed.packed_graph):
    """`packed_graph`, but one weight in the graph is not the model's."""

    def corrupted(model, **options):
        graph = original(model, **options)
        (tensor,) = (tensor for tensor in graph.graph.initializer if tensor.name == name)
        value = numpy_helper.to_array(tensor).copy()
        value.flat[0] += 3
        tensor.CopyFrom(numpy_helper.from_array(value, name))
        return graph

    return corrupted


@pytest.mark.parametrize("weight", ["layer0.up.weight", "layer1.query.bias", "classifier.bias"])
def test_one_wrong_weight_fails_the_gate_and_leaves_nothing(
    weight: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encoder = tiny_artifact(tmp_path / "encoder")
    monkeypatch.setattr(packed, "packed_graph", _with_a_corrupted_weight(weight))
    parent = tmp_path / "steps"
    with pytest.raises(GateError, match=r"export\.onnx: the parity gate failed on 40 dev texts"):
        Onnx()(encoder, make_context(tmp_path, encoder), parent / "onnx")
    assert list(parent.iterdir()) == []


def test_a_graph_with_another_operator_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    encoder, original = tiny_artifact(tmp_path / "encoder"), packed.packed_graph

    def padded_out(model, **options):
        graph = original(model, **options)
        graph.graph.node.append(onnx.helper.make_node("Identity", ["logits"], ["more"], name="more"))
        return graph

    monkeypatch.setattr(packed, "packed_graph", padded_out)
    with pytest.raises(GateError, match="operators"):
        Onnx()(encoder, make_context(tmp_path, encoder), tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_an_older_result_survives_a_failed_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    encoder, ours = make_onnx(tmp_path)
    before = folder_bytes(ours.path)
    monkeypatch.setattr(packed, "packed_graph", _with_a_corrupted_weight("classifier.bias"))
    with pytest.raises(GateError):
        Onnx()(encoder, make_context(tmp_path, encoder), ours.path)
    assert folder_bytes(ours.path) == before


def test_export_needs_dev_texts(tmp_path: Path):
    encoder = tiny_artifact(tmp_path / "encoder")
    context = make_context(tmp_path, encoder, data=replace(tiny_dataset(), dev=None))
    with pytest.raises(DataError, match="dev"):
        Onnx()(encoder, context, tmp_path / "onnx")


@pytest.mark.parametrize("count", [0, -1])
def test_a_gate_without_texts_is_refused(count: int):
    with pytest.raises(RecipeError, match="gate_texts"):
        Onnx(gate_texts=count)


def test_the_gate_tells_its_bounds_apart():
    reference = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    moved = reference + np.array([[0.0, 0.1], [0, 0], [0, 0], [3, 0]])
    parity = compare(moved, reference, AB)
    assert (parity.n, parity.flips) == (4, 0.25)
    assert parity.max_difference == pytest.approx(3)
    assert parity.mean_difference == pytest.approx(3.1 / 8)
    check(parity, step="s", max_difference=None, mean_share=None, flips=0.25)
    check(parity, step="s", max_difference=3.1, mean_share=0.6, flips=1)
    for bounds, said in (
        ({"max_difference": 2.9, "mean_share": None, "flips": 1}, "largest logit difference"),
        ({"max_difference": None, "mean_share": 0.1, "flips": 1}, "mean logit difference"),
        ({"max_difference": None, "mean_share": None, "flips": 0.2}, "25.00 % of labels changed"),
    ):
        with pytest.raises(GateError, match=said):
            check(parity, step="s", **bounds)


def test_the_gate_refuses_what_is_no_number():
    with pytest.raises(GateError, match=r"(?s)not finite.*remedy: "):
        check(
            compare(np.full((3, 2), np.nan), np.ones((3, 2)), AB),
            step="s",
            max_difference=None,
            mean_share=None,
            flips=1,
        )


PLAIN_PROGRAM = """
import json, sys
import numpy as np
import onnxruntime
path, feed_path, out = sys.argv[1:]
feed = dict(np.load(feed_path))
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
np.save(out, session.run(["logits"], feed)[0])
print(json.dumps([name for name in ("leanformer", "torch", "transformers", "onnx") if name in sys.modules]))
"""


@pytest.mark.parametrize("source", ["encoder", "onnx"])
def test_any_program_can_run_the_standard_file(source: str, tmp_path: Path):
    encoder, ours = make_onnx(tmp_path, config=tiny_config(layers=(LayerShape(3, 20), LayerShape(1, 48))))
    write_standard_onnx(encoder if source == "encoder" else ours, tmp_path / "plain" / "model.onnx")
    predictor = TorchPredictor(encoder)
    rows = predictor.tokenize(TEXTS)
    ids = np.zeros((len(rows), 32), dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
    np.savez(tmp_path / "feed.npz", input_ids=ids, attention_mask=(ids != 0).astype(np.int64))
    arguments = [tmp_path / "plain" / "model.onnx", tmp_path / "feed.npz", tmp_path / "logits.npy"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", PLAIN_PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), predictor.infer(rows), atol=1e-4, rtol=0)
    assert [path.name for path in (tmp_path / "plain").iterdir()] == ["model.onnx"]


def test_token_types_cannot_be_added_to_a_finished_graph(tmp_path: Path):
    encoder, ours = make_onnx(tmp_path)
    with pytest.raises(ArtifactError, match="without token types"):
        write_standard_onnx(ours, tmp_path / "plain.onnx", token_types=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder", "onnx"]
    write_standard_onnx(encoder, tmp_path / "plain.onnx", token_types=True)
    assert len(onnx.load(tmp_path / "plain.onnx").graph.input) == 3


def test_the_gate_reads_the_artifact_as_it_will_be_read(tmp_path: Path):
    """Copied elsewhere, the artifact still opens, with the same content."""
    _, ours = make_onnx(tmp_path)
    shutil.copytree(ours.path, tmp_path / "elsewhere")
    assert open_artifact(tmp_path / "elsewhere").content_hash == ours.content_hash


def test_the_standard_file_is_compared_with_pytorch_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    encoder = tiny_artifact(tmp_path / "encoder")
    monkeypatch.setattr(graphs, "encoder_graph", _with_a_corrupted_weight("layer0.up.weight", graphs.encoder_graph))
    with pytest.raises(GateError, match="largest logit difference"):
        write_standard_onnx(encoder, tmp_path / "plain.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]
