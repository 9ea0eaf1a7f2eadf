"""Which instruction sets of the native engine are taken, and when it is the default."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from leanformer import machine
from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError
from leanformer.runtime.engines.native_engine import NativeEngine
from leanformer.runtime.native import levels
from leanformer.runtime.predictor import LightPredictor
from leanformer.tune.candidates import candidates
from tests.making.graphs import make_int8
from tests.making.native import needs_compiler, usable_levels

TEXTS = ["goal match", "rain", "a song about the rain"]


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make_int8(tmp_path_factory.mktemp("int8"))


@needs_compiler
@pytest.mark.parametrize("level", usable_levels())
def test_the_environment_takes_a_level(int8: Artifact, monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    path = int8.file("model.onnx")
    told = NativeEngine(path, int8.properties, level=level)
    monkeypatch.setenv(levels.VARIABLE, level)
    asked = NativeEngine(path, int8.properties)
    rows = [np.array([2, 5, 3], np.int32)]
    assert asked.level == told.level == level
    assert np.array_equal(asked.run(rows, [[0]]), told.run(rows, [[0]]))
    assert NativeEngine(path, int8.properties, level="generic").level == "generic", "what is told goes before it"


@needs_compiler
@pytest.mark.parametrize("level", ["sse9", " ", "AVX2", "généric"])
def test_a_level_that_there_is_not_is_refused(int8: Artifact, monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setenv(levels.VARIABLE, level)
    predictor = LightPredictor(int8, threads=1)
    with pytest.raises(LeanformerError, match=rf"LEANFORMER_LEVEL={level}: [\s\S]*one of .*generic, or unset") as error:
        predictor.predict(TEXTS)
    for remedy in str(error.value).partition("one of ")[2].partition(", or unset")[0].split(", "):
        monkeypatch.setenv(levels.VARIABLE, remedy)
        LightPredictor(int8, threads=1, engine="native").predict(TEXTS)
    monkeypatch.delenv(levels.VARIABLE)
    LightPredictor(int8, threads=1).predict(TEXTS)


@needs_compiler
@pytest.mark.parametrize(
    ("system", "flags", "engine"),
    [
        ("x86_64", "fpu sse2 avx2 fma", "native"),
        ("x86_64", "fpu sse2 avx512f avx2", "native"),
        ("x86_64", "fpu sse2 ssse3 sse4_2 avx", "onnxruntime"),
        ("x86_64", "fpu", "onnxruntime"),
        ("AMD64", None, "native"),  # where the system does not tell, the CPU itself is asked when it is run
        ("aarch64", "fp asimd asimddp i8mm", "onnxruntime"),
        ("arm64", None, "onnxruntime"),
        ("riscv64", None, "onnxruntime"),
    ],
)
def test_it_is_the_default_where_it_is_fast(
    int8: Artifact, monkeypatch: pytest.MonkeyPatch, system: str, flags: str | None, engine: str
) -> None:
    monkeypatch.delenv(levels.VARIABLE, raising=False)
    monkeypatch.setattr("platform.machine", lambda: system)
    monkeypatch.setattr(machine, "_cpuinfo", lambda: {} if flags is None else {"flags": flags})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the answers were checked on another CPU
        assert LightPredictor(int8, threads=1).engine == engine


@needs_compiler
@pytest.mark.parametrize("told", ["forced", "found out"])
def test_the_generic_level_is_no_default(int8: Artifact, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    """Where this shows beforehand, and where the CPU has less than the system says; asked for, it runs."""
    expected = LightPredictor(int8, threads=1, engine="onnxruntime").predict(TEXTS)
    monkeypatch.setenv(levels.VARIABLE, "generic")
    if told == "found out":
        monkeypatch.setattr("leanformer.runtime.settings.is_fast", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        predictor = LightPredictor(int8, threads=1)
        assert predictor.engine == ("native" if told == "found out" else "onnxruntime")
        assert predictor.predict(TEXTS) == expected and predictor.engine == "onnxruntime"
        asked = LightPredictor(int8, threads=1, engine="native")
        asked.predict(TEXTS)
        assert asked.engine == "native"


@pytest.mark.parametrize("goal", ["latency", "throughput"])
def test_tuning_may_find_otherwise(goal: str) -> None:
    assert {"native", "onnxruntime"} <= {candidate.engine for candidate in candidates(goal, 2, "onnxruntime")}


@needs_compiler
def test_a_tuned_generic_level_is_taken(int8: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    from leanformer.files import write_json
    from leanformer.runtime import settings as tuning

    monkeypatch.setenv(levels.VARIABLE, "generic")
    path = tuning.tuning_path(int8, 1)
    record = {"format_version": tuning.FORMAT_VERSION, "content": int8.content_hash, "machine": tuning.machine(1)}
    record |= {"goal": "latency", "choice": tuning.to_json(tuning.RuntimeSettings("native"))}
    write_json(path, record)
    try:
        predictor = LightPredictor(int8, threads=1)
        predictor.predict(TEXTS)
        assert predictor.tuning is not None and predictor.engine == "native"
    finally:
        path.unlink()


def test_no_level_is_forced_by_an_empty_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(levels.VARIABLE, "")
    assert levels.forced_level() is None


def test_levels_are_told_of_this_architecture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert levels.levels() == ("generic",)
