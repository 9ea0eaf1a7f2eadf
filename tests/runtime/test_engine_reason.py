"""Which engine runs a model, at which level and precision, and why: said truly, with a remedy where one is known."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import ArtifactError
from leanformer.export.int8 import Int8
from leanformer.loading import load
from leanformer.predictor import EngineUsed, engines_together
from leanformer.runtime import settings as tuning
from leanformer.runtime.engines import native_engine
from leanformer.runtime.native import build, levels
from leanformer.runtime.native.shipped import NONE_CAME, Shipped
from leanformer.runtime.predictor import LightPredictor
from tests.making.commands import Command, is_friendly, make_command
from tests.making.graphs import make_context, make_onnx
from tests.making.native import needs_compiler, usable_levels

TEXTS = ["goal match", "rain", "a song about the rain"]
NO_COMPILER = "install a C++ compiler"


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact, Artifact]:
    """The same model as an encoder, as fp32 graph and as int8 graph."""
    folder = tmp_path_factory.mktemp("graphs")
    encoder, onnx = make_onnx(folder)
    step = Int8(method="per_token", max_flips=1.0, max_mean_share=1.0)
    return encoder, onnx, step(onnx, make_context(folder, encoder), folder / "int8")


@pytest.fixture
def int8(graphs: tuple[Artifact, Artifact, Artifact], monkeypatch: pytest.MonkeyPatch) -> Artifact:
    """The int8 graph, on a CPU where the native engine is the default."""
    monkeypatch.delenv(levels.VARIABLE, raising=False)
    monkeypatch.setattr(tuning, "is_fast", lambda: True)
    return graphs[2]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


def used_by(model: LightPredictor) -> EngineUsed:
    """What a model says before its first answer, which must be what it says after it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = model.engine_used
        model.predict(TEXTS)
    assert model.engine_used == before and model.engine == before.engine
    assert model.engine_reason == before.why
    return before


def fast(levels_here: list[str]) -> bool:
    return levels_here[0] != levels.GENERIC


@needs_compiler
@pytest.mark.skipif(not fast(usable_levels() or [levels.GENERIC]), reason="no level but the generic one")
def test_where_all_is_well_it_is_one_line(int8: Artifact):
    used = used_by(LightPredictor(int8, threads=1))
    assert used == EngineUsed("native", usable_levels()[0], "int8 per_token", "the default for int8 graphs")
    assert str(used) == f"native ({usable_levels()[0]}), int8 per_token: the default for int8 graphs"


def test_fp32(graphs: tuple[Artifact, Artifact, Artifact]):
    used = used_by(LightPredictor(graphs[1], threads=1))
    assert used == EngineUsed("onnxruntime", None, "fp32", "the native engine runs int8 graphs alone")


def test_without_a_compiler(int8: Artifact, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tuning, "can_run", lambda: False)
    used = used_by(LightPredictor(int8, threads=1))
    assert used.engine == "onnxruntime" and "no compiler" in used.reason and NO_COMPILER in used.remedy
    assert str(used).count("\n") == 1


@needs_compiler
def test_a_compiler_that_fails(int8: Artifact, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setenv("LEANFORMER_COMPILE", "1")
    monkeypatch.setenv("LEANFORMER_CACHE", str(tmp_path))
    _forget()
    try:
        used = used_by(LightPredictor(int8, threads=1))
    finally:
        monkeypatch.undo()
        _forget()
    assert used.engine == "onnxruntime" and "status 1" in used.reason and "CXX" in used.remedy
    assert "\n" not in used.reason + used.remedy


def _forget() -> None:
    build.library.cache_clear()
    native_engine._loaded.cache_clear()


@needs_compiler
def test_a_graph_that_the_native_engine_does_not_run(int8: Artifact, monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: object) -> None:
        raise ArtifactError("a strange node")

    monkeypatch.setattr(native_engine, "weights_of", refuse)
    used = used_by(LightPredictor(int8, threads=1))
    assert used.engine == "onnxruntime" and used.reason == "a strange node" and used.remedy == ""


@needs_compiler
@pytest.mark.parametrize("level", usable_levels()[1:])
def test_a_level_below_the_best(int8: Artifact, monkeypatch: pytest.MonkeyPatch, level: str):
    monkeypatch.setenv(levels.VARIABLE, level)
    used = used_by(LightPredictor(int8, threads=1, engine="native"))
    assert used.level == level and used.reason == f"LEANFORMER_LEVEL={level}, and this CPU has {usable_levels()[0]}"
    assert used.remedy == "unset LEANFORMER_LEVEL"
    monkeypatch.delenv(levels.VARIABLE)
    assert LightPredictor(int8, threads=1, engine="native").engine_used.level == usable_levels()[0]


@pytest.mark.parametrize(
    ("machine", "forced", "reason", "remedy"),
    [
        ("x86_64", None, "this CPU has no AVX2", ""),
        ("x86_64", "generic", "LEANFORMER_LEVEL=generic", "unset LEANFORMER_LEVEL"),
        ("aarch64", None, "no vector instructions of this architecture", ""),
    ],
)
def test_a_cpu_on_which_it_would_be_slower(
    int8: Artifact, monkeypatch: pytest.MonkeyPatch, machine: str, forced: str | None, reason: str, remedy: str
):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(tuning, "is_fast", lambda: False)
    if forced is not None:
        monkeypatch.setenv(levels.VARIABLE, forced)
    engine, why = tuning.default_engine(int8)
    assert engine == "onnxruntime" and reason in why.reason and why.remedy == remedy


def test_other_graphs_that_it_does_not_run(int8: Artifact):
    padded = replace(int8, properties=int8.properties | {"layout": "padded", "operators": {}})
    engine, why = tuning.default_engine(padded)
    assert engine == "onnxruntime" and "padded graphs" in why.reason and why.remedy == "export it again"


def test_what_the_program_asks_for(int8: Artifact):
    assert used_by(LightPredictor(int8, threads=1, engine="onnxruntime")).reason == "the program asked for it"
    model = LightPredictor(int8, threads=1)
    other = model.with_settings(tuning.default_settings(1))
    assert used_by(other).reason == "the program asked for it"


def test_what_was_tuned(int8: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(int8.path, tmp_path / "model")
    artifact = open_artifact(tmp_path / "model")
    record = {
        "format_version": 1, "content": artifact.content_hash, "machine": tuning.machine(1), "goal": "throughput",
        "choice": tuning.to_json(tuning.RuntimeSettings("openvino")),
    }  # fmt: skip
    path = tuning.tuning_path(artifact, 1)
    path.parent.mkdir()
    path.write_text(json.dumps(record))
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    model = LightPredictor(artifact, threads=1)
    with pytest.warns(UserWarning, match="does not run here any more"):
        used = model.engine_used
    assert used.engine == "onnxruntime" and "tuned engine does not run" in used.reason and "tune" in used.remedy
    record["choice"] = tuning.to_json(tuning.RuntimeSettings("onnxruntime"))
    path.write_text(json.dumps(record))
    assert used_by(LightPredictor(artifact, threads=1)).reason == "the fastest that leanformer tune found here"


def test_a_model_in_pytorch(graphs: tuple[Artifact, Artifact, Artifact]):
    model = load(graphs[0].path)
    assert model.engine == "torch" and "runs in PyTorch\n  remedy: make a graph of it" in model.engine_reason


def test_several_engines_are_told_with_their_numbers():
    native = EngineUsed("native", "avx2", "int8", "the default")
    onnx = EngineUsed("onnxruntime", None, "fp32", "fp32", "another file")
    assert engines_together({0: native, 2: native}) == native
    assert engines_together({0: native, 2: onnx}) == EngineUsed(
        "0: native; 2: onnxruntime", "0: avx2", "0: int8; 2: fp32", "0: the default; 2: fp32", "2: another file"
    )
    assert engines_together({0: onnx, 1: replace(onnx, remedy="")}).level is None


# ---- the commands ---------------------------------------------------------------------------------------------------


def test_predict_tells_it_once_and_keeps_its_output_clean(int8: Artifact, command: Command, tmp_path: Path):
    expected = str(LightPredictor(int8, threads=1).engine_used)
    status, out, err = command("predict", int8.path, *TEXTS, "--threads", 1)
    assert status == 0 and len([json.loads(line) for line in out.splitlines()]) == len(TEXTS)
    assert err == f"engine: {expected}\n"
    rows, answers = tmp_path / "rows.txt", tmp_path / "answers.jsonl"
    rows.write_text("\n".join(TEXTS * 2000))
    status, out, err = command("predict", int8.path, "--input", rows, "--output", answers, "--threads", 1)
    assert (status, out, err) == (0, "", f"engine: {expected}\n")


def test_predict_tells_of_no_engine_where_none_ran(int8: Artifact, command: Command, tmp_path: Path):
    (tmp_path / "rows.txt").write_text("\n \n")
    status, out, err = command("predict", int8.path, "--input", tmp_path / "rows.txt", "--output", tmp_path / "out")
    is_friendly(status, out, err)
    assert "engine" not in err


def test_predict_and_inspect_tell_the_remedy(int8: Artifact, command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tuning, "can_run", lambda: False)
    monkeypatch.setattr(tuning, "shipped_library", lambda: Shipped(None, NONE_CAME))
    _, _, err = command("predict", int8.path, "rain", "--threads", 1)
    lines = err.splitlines()
    assert lines[0].startswith("engine: onnxruntime, int8 per_token: ") and lines[1].startswith("  remedy: install")
    _, out, _ = command("inspect", int8.path)
    assert (
        "engine      onnxruntime, int8 per_token: no native library came with this package, and" in out
        and NO_COMPILER in out
    )


def test_inspect_tells_of_a_graph_that_nothing_runs(int8: Artifact, command: Command, monkeypatch: pytest.MonkeyPatch):
    def broken(*arguments: object, **options: object) -> None:
        raise ArtifactError("it is broken")

    monkeypatch.setattr("leanformer.runtime.predictor.LightPredictor.__init__", broken)
    status, out, _ = command("inspect", int8.path)
    assert status == 0 and "engine      none runs it here: it is broken" in out
