"""What every format of artifact goes through at the command line: it works, or it is refused with a remedy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.formats import FORMATS, Format, Refusal
from leanformer.report import Report
from leanformer.train.teacher_outputs import teacher_outputs
from tests.making.commands import Command, is_friendly, make_command, write_lines
from tests.making.every_format import artifacts_of_every_format
from tests.making.native import COMPILED
from tests.making.tiny import LABELS, tiny_dataset

Place = dict[str, Artifact]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return artifacts_of_every_format(tmp_path_factory.mktemp("formats"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train, dev and test of the task that all of these artifacts are for."""
    place, data = tmp_path_factory.mktemp("data"), tiny_dataset()
    for split in ("train", "dev", "test"):
        part = getattr(data, split)
        rows = [{"text": text, "label": LABELS[i]} for text, i in zip(part.texts, part.labels, strict=True)]
        write_lines(place / f"{split}.jsonl", rows)
    return place


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


def is_refused(answer: tuple[int, str, str], refusal: Refusal, artifact: Artifact) -> None:
    """The command ends with the reason and the remedy of the table, and names the artifact."""
    is_friendly(*answer)
    assert refusal.why.format(format=artifact.format) in answer[2]
    assert f"remedy: {refusal.remedy}" in answer[2]
    assert str(artifact.path) in answer[2]


def of(artifact: Artifact, question: str) -> object:
    return getattr(FORMATS[artifact.format], question)


@pytest.mark.parametrize("name", FORMATS)
def test_predict_and_inspect(name: str, artifacts: Place, command: Command):
    status, out, err = command("predict", artifacts[name].path, "a quiet song", "rain today", "--threads", 1)
    assert status == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    assert len(records) == 2 and all(set(record["probabilities"]) == set(LABELS) for record in records)
    status, out, _ = command("inspect", artifacts[name].path)
    assert status == 0 and f"format      {name}" in out


@pytest.mark.slow
def test_bench(artifacts: Place, folder: Path, command: Command, tmp_path: Path):
    """All of them in one run, each under what runs it."""
    paths, report = [artifact.path for artifact in artifacts.values()], tmp_path / "report.json"
    status, _, err = command(
        "bench", *paths, "--data", folder, "--rounds", 1, "--no-memory", "--threads", 1, "--output", report
    )
    assert status == 0, err
    rungs = Report.read(report).rungs
    expected = {
        "onnx": ("ONNX Runtime fp32, 1 one-thread workers", "onnxruntime"),
        "cascade": ("cascade, 1 one-thread workers", "onnxruntime"),
        "ngrams": ("n-grams, our engine int8", "native") if COMPILED else ("n-grams, numpy int8", "numpy"),
    }
    for rung in rungs:
        assert rung.engine is not None
        assert (rung.runtime, rung.engine["engine"]) == expected.get(rung.format, ("PyTorch fp32, batches", "torch"))
    counted = {rung.format for rung in rungs if rung.flops_per_text is not None}
    assert counted == {name for name, entry in FORMATS.items() if entry.shape is not None}


@pytest.mark.parametrize("name", FORMATS)
def test_export(name: str, artifacts: Place, command: Command, tmp_path: Path):
    artifact, file = artifacts[name], tmp_path / "model.onnx"
    answer = command("export", artifact.path, "--output", file)
    standard = of(artifact, "standard")
    if isinstance(standard, Refusal):
        is_refused(answer, standard, artifact)
        assert not file.exists()
    else:
        assert answer[0] == 0 and file.is_file(), answer[2]
    answer = command("export", artifact.path, "--to", "transformers", "--output", tmp_path / "folder")
    if of(artifact, "layers"):
        assert answer[0] == 0 and (tmp_path / "folder" / "config.json").is_file(), answer[2]
    else:
        is_friendly(*answer)
        assert f"format '{name}' holds no encoder weights" in answer[2] and "remedy: " in answer[2]


@pytest.mark.parametrize("name", FORMATS)
def test_tune(name: str, artifacts: Place, folder: Path, command: Command):
    """What the light runtime runs gets as far as its time, which is too short; everything else is refused before."""
    answer = command("tune", artifacts[name].path, "--data", folder, "--seconds", 0.5, "--threads", 1)
    light = of(artifacts[name], "light")
    if isinstance(light, Refusal):
        is_refused(answer, light, artifacts[name])
    else:
        is_friendly(*answer)
        assert "0.5 seconds are too few" in answer[2]


@pytest.mark.parametrize("name", FORMATS)
def test_teacher(name: str, artifacts: Place, folder: Path, command: Command, tmp_path: Path):
    """`compress` and `search` take the same models, and refuse the same ones in the same words."""
    artifact, teaches = artifacts[name], of(artifacts[name], "teaches")
    if not isinstance(teaches, Refusal):
        outputs = teacher_outputs(artifact, ["a quiet song", "rain"], cache=tmp_path / "cache", device="cpu")
        assert np.asarray(outputs.logits).shape == (2, 3)
        return
    given = ("--data", folder, "--output", tmp_path / "lean")
    compressed = command("compress", artifact.path, *given)
    searched = command("search", "lean", "--model", artifact.path, *given, "--trials", 1)
    for answer in (compressed, searched):
        is_refused(answer, teaches, artifact)
        assert not (tmp_path / "lean").exists()
    assert compressed[2].partition("error: ")[2] == searched[2].partition("error: ")[2]


def test_every_question_with_a_refusal_is_asked_here():
    """A new one fails until a test above has asked it of every format."""
    refused = {
        question
        for entry in FORMATS.values()
        for question in Format.__dataclass_fields__
        if isinstance(getattr(entry, question), Refusal)
    }
    # `module` and `graph` are asked by steps and predictors: tests/test_formats.py.
    assert refused <= {"standard", "light", "teaches", "module", "graph"}
