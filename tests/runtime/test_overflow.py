"""Sums of int8 products do not overflow on CPUs without int8 dot products. benchmarks/other_cpu.py emulates one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.export.int8 import Int8
from leanformer.predictor import logits, softmax
from leanformer.runtime import openvino_engine
from leanformer.runtime.engine import OnnxEngine
from leanformer.runtime.openvino_engine import OpenVinoEngine, saturates
from leanformer.runtime.predictor import LightPredictor
from tests.export.making import make_context, make_onnx
from tests.tiny import tiny_texts


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["avx2"], True),
        (["avx2", "avx512f"], True),
        (["avx2", "avx512f", "avx512_vnni"], False),
        (["avx2", "avx_vnni"], False),
        (["avx2", "avx512f", "amx_int8"], False),
        (["asimd", "asimddp"], False),
        ([], False),  # where the system does not tell
    ],
)
def test_which_cpus_overflow(flags: list[str], expected: bool):
    assert saturates(flags) is expected


def test_onnxruntime_is_told_not_to(tmp_path: Path):
    _, artifact = make_onnx(tmp_path)
    options = OnnxEngine(artifact.file("model.onnx"), 1)._session.get_session_options()
    assert options.get_session_config_entry("session.x64quantprecision") == "1"


def test_openvino_is_told_not_to_and_stays_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("openvino")
    encoder, fp32 = make_onnx(tmp_path)
    int8 = Int8(max_flips=1.0, max_mean_share=1.0)(fp32, make_context(tmp_path / "c", encoder), tmp_path / "int8")
    texts = list(tiny_texts(20, 2)[0])
    found = {}
    for name, flags in (("dot products", ["avx2", "avx512_vnni"]), ("none", ["avx2"])):
        monkeypatch.setattr(openvino_engine, "instruction_sets", lambda flags=flags: flags)
        settings = OpenVinoEngine(int8.file("model.onnx"), 1)._settings
        assert ({"LP_TRANSFORMS_MODE", "SNIPPETS_MODE"} <= set(settings)) is (name == "none")
        values = logits(LightPredictor(int8, threads=1, engine="openvino"), texts)
        found[name] = softmax(values.astype(np.float64))
    np.testing.assert_allclose(found["none"], found["dot products"], atol=0.02)
