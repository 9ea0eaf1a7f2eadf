"""Comparing the answers of two CPUs, and saying what is missing. benchmarks/runtime/other_cpu.py emulates."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.paths import ROOT
from benchmarks.runtime.deviations import deviation
from benchmarks.runtime.other_cpu import answers, compared
from leanformer.metrics.probabilities import softmax
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from tests.making.graphs import make_onnx

SURE, UNSURE = [0.9, 0.1], [0.505, 0.495]


def test_a_flip_counts_where_the_label_was_clear():
    reference = np.array([SURE, UNSURE, SURE])
    found = deviation(np.array([SURE, UNSURE[::-1], SURE]), reference, 0.02)
    assert found["flips"] == 1 and found["clear_flips"] == 0 and found["within"]
    assert found["bit_equal"] == pytest.approx(2 / 3) and found["largest"] == pytest.approx(0.01)
    found = deviation(np.array([SURE[::-1], UNSURE, SURE]), reference, 1.0)
    assert found["clear_flips"] == 1 and not found["within"]
    assert not deviation(np.array([[0.87, 0.13], UNSURE, SURE]), reference, 0.02)["within"]


def test_a_row_says_where_it_failed():
    good: dict[str, Any] = {"probabilities": [SURE], "warned": True}
    assert compared("fp32", "onnxruntime", good, good)["within"]
    assert (
        compared("fp32", "onnxruntime", good, {"probabilities": [[0.9001, 0.0999]], "warned": True})["within"] is False
    )
    row = compared("int8 mixed", "openvino", good, {"error": "killed"})
    assert row["failed"] == "there" and row["error"] == "killed" and "within" not in row


def test_a_child_gives_the_answers_of_the_predictor(tmp_path: Path):
    _, artifact = make_onnx(tmp_path)
    texts = ["a song and a band", "rain", "the goal was late"]
    (tmp_path / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    found = answers([], artifact, "onnxruntime", tmp_path / "texts.json", tmp_path / "answers.json")
    expected = softmax(logits(LightPredictor(artifact, threads=1), texts).astype(np.float64))
    assert np.array(found["probabilities"]) == pytest.approx(expected, abs=1e-6)
    assert found["warned"] is False and set(found["flags"]) <= {"avx2", "avx512f", "avx512_vnni"}
    # The second time nothing runs, so that a killed run goes on where it was.
    assert answers(["/no/such/emulator"], artifact, "onnxruntime", tmp_path, tmp_path / "answers.json") == found


def test_a_child_that_fails_is_an_answer_too(tmp_path: Path):
    _, artifact = make_onnx(tmp_path)
    (tmp_path / "texts.json").write_text("[]", encoding="utf-8")
    found = answers([], artifact, "no such engine", tmp_path / "texts.json", tmp_path / "answers.json")
    assert "engine is one of" in found["error"]


def test_without_qemu_it_says_how_to_get_it(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.runtime.other_cpu", "--qemu", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 1 and "remedy: apt-get install qemu-user-static" in done.stderr
