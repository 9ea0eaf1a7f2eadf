"""Sums of int8 products do not overflow on CPUs without int8 dot products (benchmarks/runtime/other_cpu.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.export.int8 import Int8
from leanformer.machine import instruction_sets
from leanformer.metrics.probabilities import softmax
from leanformer.predictor import logits
from leanformer.runtime.engines import openvino_engine
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.runtime.engines.openvino_engine import OpenVinoEngine, saturates
from leanformer.runtime.predictor import LightPredictor
from tests.making.graphs import make_context, make_onnx
from tests.making.tiny import tiny_texts


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


@pytest.mark.parametrize("flags", [["avx2"], ["avx2", "avx512_vnni"], None])
def test_openvino_is_told_not_to_and_stays_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str] | None
) -> None:
    """As on a CPU without dot products, which computes right on every CPU; as on one with them, whose answers only such
    a CPU gets right; and as on this one.
    """
    pytest.importorskip("openvino")
    encoder, fp32 = make_onnx(tmp_path)
    int8 = Int8(max_flips=1.0, max_mean_share=1.0)(fp32, make_context(tmp_path / "c", encoder), tmp_path / "int8")
    if flags is not None:
        monkeypatch.setattr(openvino_engine, "instruction_sets", lambda: flags)
    settings = OpenVinoEngine(int8.file("model.onnx"), 1)._settings
    guarded = saturates(instruction_sets() if flags is None else flags)
    assert ({"LP_TRANSFORMS_MODE", "SNIPPETS_MODE"} <= set(settings)) is guarded
    if guarded or not saturates(instruction_sets()):
        found, expected = (
            softmax(logits(LightPredictor(int8, threads=1, engine=engine), list(tiny_texts(20, 2)[0])).astype(float))
            for engine in ("openvino", "onnxruntime")
        )
        np.testing.assert_allclose(found, expected, atol=0.02)
