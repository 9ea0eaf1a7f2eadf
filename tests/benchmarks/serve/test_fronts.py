"""The fronts that are compared answer the same requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.serve.fronts import FRONTS, MEASURED, measured


@pytest.mark.slow
@pytest.mark.parametrize("front", FRONTS)
def test_a_front_answers_and_is_measured(front: str, tiny_onnx_artifact: Path, tmp_path: Path):
    if front == "granian":
        pytest.importorskip("granian")
    texts = tmp_path / "texts.txt"
    texts.write_text("rain wind\nsong\n", encoding="utf-8")
    found = measured(tiny_onnx_artifact, texts, front, "--seconds", "0.5", "--connections", "4")
    assert found["n"] > 0 and all(found[name] > 0 for name in MEASURED)
