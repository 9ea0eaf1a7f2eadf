"""`leanformer tune`, and the commands that use what it stored."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from leanformer.compress.shape.convert_attention import ConvertAttention
from leanformer.files import write_json
from leanformer.runtime.cores import default_threads
from leanformer.runtime.predictor import ENGINES
from leanformer.runtime.settings import RuntimeSettings, default_settings, machine, read_tuning, to_json, tuning_path
from leanformer.tune import tune as tune_module
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_texts

TEXTS = tiny_texts(40, seed=6)[0]


@pytest.fixture
def model(tiny_onnx_artifact: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_onnx_artifact, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    return tmp_path / "texts.txt"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of a moment, however slow the machine."""
    default = default_settings(1)
    monkeypatch.setattr(
        tune_module,
        "candidates",
        lambda goal, cores, engine: [default, RuntimeSettings(pack_tokens=64), RuntimeSettings(engine="openvino")],
    )
    monkeypatch.setattr(tune_module, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(tune_module, "_check_budget", lambda *given: None)


@pytest.mark.slow
@pytest.mark.parametrize("goal", ["throughput", "latency"])
def test_it_stores_what_predictors_then_use(goal: str, command: Command, model: Path, texts: Path, quick: None):
    before = open_artifact(model).content_hash
    arguments = ("tune", model, "--data", texts, "--goal", goal, "--seconds", 0.3, "--texts", 16, "--threads", 1)
    status, out, err = command(*arguments)
    assert status == 0, err
    artifact = open_artifact(model)
    path = tuning_path(artifact, 1)
    assert f"stored in {path}" in out and f"tuned for {goal} on 1 cores" in out and "candidates" in err
    found = read_tuning(artifact, 1, ENGINES)
    assert found is not None and found.record["goal"] == goal and artifact.content_hash == before
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing half-written is left"
    status, out, _ = command(*arguments, "--json")
    assert status == 0 and json.loads(out) == json.loads(path.read_text(encoding="utf-8"))


def store(model: Path, cores: int, **changes: object) -> Path:
    artifact = open_artifact(model)
    path = tuning_path(artifact, cores)
    record = {
        "format_version": 1, "content": artifact.content_hash, "machine": machine(cores), "goal": "throughput",
        "choice": to_json(RuntimeSettings(pack_tokens=48)), "reason": "because it was quicker", "precision": [],
        "alternatives": [],
    }  # fmt: skip
    write_json(path, record | changes)
    return path


def test_predict_and_bench_use_it_unless_told_not_to(
    command: Command, model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    store(model, 1)
    expected = command("predict", model, *TEXTS[:3], "--threads", 1)
    untuned = command("predict", model, *TEXTS[:3], "--threads", 1, "--no-tuning")
    assert expected[0] == 0 and untuned[:2] == expected[:2]
    assert "the fastest that leanformer tune found here" in expected[2] and "tune" not in untuned[2]
    bench = ("bench", model, "--data", folder, "--threads", 1, "--rounds", 1, "--no-memory")
    said = "runs as tuned here: onnxruntime, 1 worker, packs of 48 tokens"
    assert said in command(*bench)[2]
    assert said not in command(*bench, "--no-tuning")[2]


def test_a_broken_file_is_named_and_predicting_goes_on(command: Command, model: Path):
    expected = command("predict", model, *TEXTS[:3], "--threads", 1)
    path = store(model, 1)
    path.write_text("{")
    with pytest.warns(UserWarning, match=path.name):
        assert command("predict", model, *TEXTS[:3], "--threads", 1)[:2] == expected[:2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert command("predict", model, *TEXTS[:3], "--threads", 1, "--no-tuning") == expected


def test_inspect_shows_it(command: Command, model: Path):
    cores = default_threads()
    assert "tuning      none for this machine, the default is used" in command("inspect", model)[1]
    store(model, cores + 1)
    assert "; 1 other machines or numbers of cores have theirs" in command("inspect", model)[1]
    path = store(model, cores)
    out = command("inspect", model)[1]
    assert path.name in out and "because it was quicker" in out
    # What stands there besides the choice may be anything.
    for odd in (
        {"alternatives": None},
        {"alternatives": [3]},
        {"precision": 7},
        {"alternatives": [{"ms_per_text": "1"}]},
    ):
        store(model, cores, **odd)
        status, out, _ = command("inspect", model)
        assert status == 0 and "cannot be read" in out, odd
    store(model, cores, reason="\x1b[2Jgone")
    assert "?[2Jgone" in command("inspect", model)[1], "what is for the terminal is not let through"


def test_what_cannot_be_tuned_is_said(command: Command, model: Path, texts: Path, tmp_path: Path):
    encoder = tiny_artifact(tmp_path / "encoder")
    ConvertAttention()(encoder, make_context(tmp_path, encoder), tmp_path / "linear")
    (tmp_path / "few.txt").write_text("goal\nrain\n")
    other = tmp_path / "other"
    shutil.copytree(model, other)
    manifest = json.loads((other / "leanformer.json").read_text())
    (other / "leanformer.json").write_text(json.dumps(manifest | {"max_tokens": 31}))
    for words, said in (
        (("tune", model, "--data", texts, "--goal", "glory"), "one of throughput, latency"),
        (("tune", model, "--data", texts, "--seconds", 0.5), "0.5 seconds are too few"),
        (("tune", model, "--data", texts, "--texts", 41), "40 texts, and 41 are needed"),
        (("tune", model, "--data", tmp_path / "few.txt"), "2 texts, and 16 are needed"),
        (("tune", model, "--data", tmp_path / "none.txt"), "none.txt"),
        (("tune", tmp_path / "encoder", "--data", texts), "format 'encoder' is not run by the light runtime"),
        (("tune", tmp_path / "linear", "--data", texts), "linear attention runs in PyTorch only"),
        (("tune", tmp_path / "none", "--data", texts), "no such folder"),
        (("tune", model, "--data", texts, "--also", model), "the same content"),
        (("tune", model, "--data", texts, "--also", other), "is not that of"),
    ):
        status, out, err = command(*words)
        is_friendly(status, out, err[err.index("error: ") :])
        assert said in err, words
    assert not (model / "tuning").exists()


def test_a_folder_that_cannot_be_written_is_said_before_the_work(
    command: Command, model: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
):
    (model / "tuning").write_text("a file")
    is_friendly(*command("tune", model, "--data", texts))
    (model / "tuning").unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    status, out, err = command("tune", model, "--data", texts)
    is_friendly(status, out, err)
    assert "cannot be written to" in err


def test_data_of_no_split_has_no_texts(command: Command, model: Path, tmp_path: Path):
    write_lines(tmp_path / "empty" / "test.jsonl", [])
    status, out, err = command("tune", model, "--data", tmp_path / "empty")
    is_friendly(status, out, err)
