"""Graphs that are not those of their artifact, or not finite: refused when the artifact is opened, never an answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from leanformer.artifact import MANIFEST, Artifact, open_artifact
from leanformer.errors import ArtifactError, DataError
from leanformer.loading import open_predictor
from leanformer.runtime import runner
from leanformer.runtime.predictor import LightPredictor
from tests.fuzz.hashes import repair
from tests.making.graphs import make_onnx


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make_onnx(tmp_path_factory.mktemp("whole"))[1]


@pytest.fixture
def copy(whole: Artifact, tmp_path: Path) -> Path:
    shutil.copytree(whole.path, tmp_path / "copy")
    return tmp_path / "copy"


def change(folder: Path, edit: Callable[[Any], None]) -> None:
    model = onnx.load(folder / "model.onnx")
    edit(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    repair(folder)


def manifest(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    value = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    edit(value)
    (folder / MANIFEST).write_text(json.dumps(value), encoding="utf-8")


def tensor(model: Any, name: str) -> Any:
    return next(initializer for initializer in model.graph.initializer if initializer.name == name)


def put(name: str, edit: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], None]:
    def change_one(model: Any) -> None:
        one = tensor(model, name)
        one.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(edit(np.array(numpy_helper.to_array(one)))), name))

    return change_one


def fill(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change_values(values: np.ndarray) -> np.ndarray:
        values.reshape(-1)[-1] = value
        return values

    return change_values


def rename(place: str, name: str) -> Callable[[Any], None]:
    def change_name(model: Any) -> None:
        getattr(model.graph, place)[0].name = name

    return change_name


def external(model: Any) -> None:
    one = tensor(model, "word_table")
    one.data_location = onnx.TensorProto.EXTERNAL
    entry = one.external_data.add()
    entry.key, entry.value = "location", "../secret"


def loop(model: Any) -> None:
    body = helper.make_graph([helper.make_node("Identity", ["c"], ["d"])], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["x"], body=body))


def expand(model: Any) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**20, 2**20], np.int64), "huge"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["huge"], ["x"]))


def function(model: Any) -> None:
    opset = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], [], opset))


def dims(*values: int) -> Callable[[Any], None]:
    def change_dims(model: Any) -> None:
        tensor(model, "position_table").dims[:] = values

    return change_dims


def declare(labels: int) -> Callable[[Any], None]:
    def change_shape(model: Any) -> None:
        model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value = labels

    return change_shape


REFUSED: dict[str, tuple[Callable[[Any], None], str]] = {
    "a weight that is no number": (put("layer0.up.bias", fill(np.nan)), r"layer0\.up\.bias is not finite at \(47,\)"),
    "an infinite weight": (put("word_table", fill(np.inf)), "word_table is not finite at"),
    "an infinite weight below zero": (put("classifier.bias", fill(-np.inf)), "not finite at"),
    "a table of two words": (put("word_table", lambda table: table[:2]), "its table has 2 words, and the tokenizer"),
    "a table of one side": (put("word_table", lambda table: table[0]), "its table of words has the shape"),
    "fewer positions than tokens": (put("position_table", lambda table: table[:31]), "31 positions, and the manifest"),
    "fewer labels": (put("classifier.bias", lambda values: values[:2]), r"classifier\.bias has 2 numbers"),
    "other labels declared": (declare(5), "it gives 5 numbers, and the manifest has 3 outputs"),
    "no words": (put("word_table", lambda table: table[:0]), r"word_table has the shape \[0, 32\]"),
    "an input of another name": (rename("input", "tokens"), "its inputs are"),
    "an output of another name": (rename("output", "answers"), "its outputs are answers"),
    "tensors in another file": (external, "kept in another file"),
    "a loop": (loop, "a graph of its own"),
    "tensors made of nothing": (expand, "it computes ConstantOfShape"),
    "a function": (function, "functions of its own"),
    "sides below zero": (dims(-1, 32), "a tensor has the shape"),
    "sides beyond all memory": (dims(2**40, 2**40), "cannot reshape"),
    "sides of another size": (dims(63, 32), "cannot reshape"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_graph_is_looked_through_when_it_is_opened(copy: Path, what: str):
    edit, said = REFUSED[what]
    change(copy, edit)
    with pytest.raises(ArtifactError, match=rf"(?s)model\.onnx: not a graph.*{said}.*remedy"):
        open_predictor(copy, threads=1)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04" + bytes(60), b"\x80\x04K\x01.", b"\x08\x07:\xff\xff\xff\xff\x0f"]
)
def test_what_is_no_graph_is_refused(copy: Path, content: bytes):
    (copy / "model.onnx").write_bytes(content)
    repair(copy)
    with pytest.raises(ArtifactError, match=r"(?s)model\.onnx: not a graph that can be run.*remedy"):
        open_predictor(copy, threads=1)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_graph_that_is_cut_is_refused(copy: Path, part: float):
    content = (copy / "model.onnx").read_bytes()
    (copy / "model.onnx").write_bytes(content[: int(part * len(content))])
    repair(copy)
    with pytest.raises(ArtifactError, match="remedy"):
        open_predictor(copy, threads=1)


def test_labels_of_the_manifest_and_of_the_graph_are_compared(copy: Path):
    manifest(copy, lambda value: value["task"]["labels"].append("more"))
    with pytest.raises(ArtifactError, match=r"has 3 numbers, and the manifest has 4 outputs|gives 3 numbers"):
        open_predictor(copy, threads=1)


def test_a_manifest_without_padding_is_refused(copy: Path):
    manifest(copy, lambda value: value["properties"].pop("padding_id"))
    with pytest.raises(ArtifactError, match="no padding_id"):
        open_predictor(copy, threads=1)


def test_a_graph_that_fails_in_the_middle_ends_in_a_message(copy: Path):
    change(copy, put("layer1.down.weight", lambda values: values[:-1]))
    with pytest.raises(ArtifactError, match=r"(?s)ONNX Runtime cannot .* it.*remedy"):
        LightPredictor(open_artifact(copy), threads=1).predict(["song"])


def test_answers_that_are_not_finite_never_leave(copy: Path):
    def overflow(model: Any) -> None:
        for name in ("pooler.weight", "classifier.weight"):
            put(name, lambda values: np.where(values >= 0, 3e38, -3e38).astype(np.float32))(model)

    change(copy, overflow)
    with pytest.raises(ArtifactError, match=r"(?s)answers are not finite.*in row 1.*remedy"):
        LightPredictor(open_artifact(copy), threads=1).predict(["song of the team", "goal"])


def test_the_shape_of_what_a_graph_gives_is_compared(whole: Artifact, monkeypatch: pytest.MonkeyPatch):
    model = LightPredictor(whole, threads=1)
    expected = model.infer(model.tokenize(["song"]))
    monkeypatch.setattr(runner.OnnxEngine, "run", lambda self, rows, lines: np.zeros((1, 2), np.float32))
    with pytest.raises(ArtifactError, match=r"gives \[1, 2\] of float32 where the manifest has \[1, 3\]"):
        model.infer(model.tokenize(["song"]))
    assert expected.shape == (1, 3)


def test_rows_that_a_model_cannot_read_are_errors_of_the_text(whole: Artifact):
    model = LightPredictor(whole, threads=1)
    words = model.limits.vocabulary
    assert words is not None
    good = model.tokenize(["song"])[0]
    for row, said in (
        (np.array([2, words, 3], np.int32), f"text 2 has the token id {words}"),
        (np.array([2, -5, 3], np.int32), "text 2 has the token id -5"),
        (np.zeros(0, np.int32), "text 2 leaves no token"),
        (np.full(65, 5, np.int32), "text 2 has 65 tokens, and the model has 64 positions"),
    ):
        with pytest.raises(DataError, match=f"(?s){said}.*remedy"):
            model.infer([good, row])
