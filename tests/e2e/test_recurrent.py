"""Recurrent students walk the line with no new words: compress by a shipped recipe, bench, predict, inspect, export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import leanformer
from leanformer.artifact import open_artifact
from leanformer.tagging.viterbi import is_legal
from tests.making.commands import Command, make_command
from tests.making.tagged import TAGS, tagger_artifact, write_columns


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


def answer_tags(model: Path, text: str) -> np.ndarray:
    found = leanformer.load(model, threads=1).predict([text])[0].tags
    return np.array([TAGS.index(tag) for tag in found or ()])


@pytest.mark.slow
def test_the_recipe_from_columns_to_spans(command: Command, tmp_path: Path) -> None:
    data = write_columns(tmp_path / "data", sizes=(40, 15, 15))
    teacher = tagger_artifact(tmp_path / "teacher")
    sizes = ("embedding=8", "units=8", "epochs=1", "least_steps=0", "strategy=D3.1")
    status, _, err = command(
        "compress", teacher.path, "--data", data, "--output", tmp_path / "lean", "--recipe", "xtremedistil",
        *(word for size in sizes for word in ("--set", f"student.{size}")), "--set", "student-int8.max_flips=1",
        "--set", "student-int8.max_mean_share=9", "--threads", 1, "--rounds", 1, "--no-memory", "--max-drop", 100,
        "--goal", "size", "--device", "cpu", "--allow-weak-teacher",
    )  # fmt: skip
    assert status == 0, err
    lean = open_artifact(tmp_path / "lean")
    assert [entry["step"] for entry in lean.history] == ["compress.bilstm", "export.onnx", "export.int8"]
    assert lean.properties["operators"]["DynamicQuantizeLSTM"] == 1
    report = json.loads((tmp_path / "lean" / "report.json").read_text())
    rungs = {rung["name"]: rung for rung in report["rungs"]}
    small, large = rungs["recurrent student"], rungs["our ONNX graph"]
    assert small["parameters"] < large["parameters"]
    # Operations, padding and traffic are told of it as of any other.
    assert 0 < small["flops_per_text"] < large["flops_per_text"]
    assert small["traffic_bytes_per_text"] > 0 and 0 <= small["padding_waste"] < 1
    assert "F1 in aa" in small["scores"]

    status, out, err = command("bench", tmp_path / "teacher", tmp_path / "lean", "--data", data, "--rounds", 1,
                               "--no-memory", "--threads", 1, "--json")  # fmt: skip
    assert status == 0, err
    assert len(json.loads(out)["rungs"]) == 2
    text = "it was a song choir and we saw goal match."
    status, out, err = command("predict", tmp_path / "lean", text, "--threads", 1)
    assert status == 0, err
    answer = json.loads(out.splitlines()[0])
    assert all(text[span["start"] : span["end"]] == span["text"] for span in answer["spans"])
    tags = answer_tags(tmp_path / "lean", text)
    assert is_legal(tags, TAGS) and len(tags) == 11
    status, out, err = command("inspect", tmp_path / "lean")
    assert status == 0 and "compress.bilstm" in out, err
    status, out, err = command("export", tmp_path / "lean", "--output", tmp_path / "lean.onnx")
    assert status == 0, err
    session = ort.InferenceSession(str(tmp_path / "lean.onnx"), providers=["CPUExecutionProvider"])
    assert [input_.name for input_ in session.get_inputs()] == ["input_ids", "attention_mask"]


@pytest.mark.slow
def test_what_a_recurrent_model_cannot_be_is_said(command: Command, tmp_path: Path) -> None:
    from tests.making.recurrent import recurrent_artifact

    data = write_columns(tmp_path / "data", sizes=(20, 8, 8))
    recurrent = recurrent_artifact(tmp_path / "recurrent")
    status, _, err = command("export", recurrent.path, "--output", tmp_path / "x.onnx")
    assert status == 0, err
    status, _, err = command("export", recurrent.path, "--token-types", "--output", tmp_path / "y.onnx")
    assert status == 1 and "has no token types" in err
    status, _, err = command("export", recurrent.path, "--to", "transformers", "--output", tmp_path / "x")
    assert status == 1 and "bilstm" in err
    # It is compressed as far as steps take it: exported and quantised, and the rest is left out with a reason.
    status, _, err = command(
        "compress", recurrent.path, "--data", data, "--output", tmp_path / "y", "--recipe", "distil", "--threads", 1,
        "--device", "cpu", "--no-memory", "--rounds", 1, "--max-drop", 100, "--set", "teacher-int8.max_flips=1",
        "--set", "teacher-int8.max_mean_share=9", "--allow-weak-teacher",
    )  # fmt: skip
    assert status == 0, err
    assert "compress.distil takes encoder or transformers, not an artifact of format 'bilstm'" in err
    assert [entry["step"] for entry in open_artifact(tmp_path / "y").history][:1] == ["export.onnx"]


@pytest.mark.slow
def test_a_crf_from_training_to_predicting(command: Command, tmp_path: Path) -> None:
    data = write_columns(tmp_path / "data", sizes=(60, 15, 15))
    tagger_artifact(tmp_path / "start")
    status, _, err = command(
        "train", data, "--task", "tokens", "--encoder", tmp_path / "start", "--output", tmp_path / "teacher", "--crf",
        "--epochs", 1, "--learning-rate", 0.004, "--precision", "fp32", "--threads", 1, "--device", "cpu",
    )  # fmt: skip
    assert status == 0, err
    assert open_artifact(tmp_path / "teacher").task.transitions is not None
    options = ("embedding=8", "units=8", "epochs=1", "least_steps=0", "strategy=D0-S", "crf=true", "learning_rate=0.01")
    status, _, err = command(
        "compress", tmp_path / "teacher", "--data", data, "--output", tmp_path / "lean", "--recipe", "xtremedistil",
        *(word for option in options for word in ("--set", f"student.{option}")), "--set", "student-int8.max_flips=1",
        "--set", "student-int8.max_mean_share=9", "--threads", 1, "--rounds", 1, "--no-memory", "--max-drop", 100,
        "--goal", "size", "--device", "cpu", "--allow-weak-teacher", "--allow-lost-classes",
    )  # fmt: skip
    assert status == 0, err
    lean = open_artifact(tmp_path / "lean")
    assert lean.task.transitions is not None and lean.properties["precision"].startswith("int8")
    assert "what each step from tag to tag adds" in (tmp_path / "lean" / "README.md").read_text()
    assert is_legal(answer_tags(tmp_path / "lean", "it was a song choir and we saw goal match"), TAGS)
    status, out, err = command("inspect", tmp_path / "lean")
    assert status == 0 and "transitions learnt" in out, err
    status, _, err = command("train", data, "--task", "tokens", "--encoder", tmp_path / "start", "--output",
                             tmp_path / "plain", "--epochs", 1, "--threads", 1, "--device", "cpu")  # fmt: skip
    assert status == 0 and open_artifact(tmp_path / "plain").task.transitions is None, err
