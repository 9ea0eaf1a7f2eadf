"""Texts that are longer than the model walk the whole line in windows: trained, distilled, exported, served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.answers.forms import score_logits
from leanformer.artifact import Artifact, open_artifact
from leanformer.cascade.store import check_members
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError
from leanformer.export.onnx import Onnx
from leanformer.loading import open_predictor
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.recipe.delivery import Compressed
from leanformer.recipe.library import find_recipe
from leanformer.recipe.teacher import reread
from leanformer.runtime.predictor import LightPredictor
from tests.e2e.test_compress import distil, run
from tests.making.commands import Command, make_command
from tests.making.graphs import make_context
from tests.making.servers import Server
from tests.making.taught import taught_by, write_splits
from tests.making.tiny import FILLERS, LABELS, TOPICS

TOKENS = 14


def document(generator: np.random.Generator) -> dict[str, Any]:
    """The words that tell the topic stand behind what a model of 14 tokens reads; some documents are short."""
    topic = str(generator.choice(LABELS))
    short = generator.random() < 0.2
    words = [] if short else [str(word) for word in generator.choice(FILLERS, size=int(generator.integers(14, 30)))]
    words += [str(word) for word in generator.choice(TOPICS[topic][:6], size=4)]
    return {"text": " ".join(words), "label": topic}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documents")


@pytest.fixture(scope="module")
def data(source: Path) -> Dataset:
    return write_splits(source, document, {"train": 180, "dev": 40, "test": 60})


@pytest.fixture(scope="module")
def taught(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return taught_by(data, tmp_path_factory.mktemp("windows"), max_tokens=TOKENS, long="windows")


@pytest.fixture(scope="module")
def lean(taught: Artifact, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    """The student in int8, whatever it lost."""
    return run(taught.path, tmp_path_factory.mktemp("lean") / "lean", distil(), data=data, goal="size", max_drop=100)


def quality(artifact: Artifact, data: Dataset) -> float:
    predictor = open_predictor(artifact, threads=1)
    assert data.test is not None
    return score_logits(logits(predictor, data.test.inputs), data.test.targets, predictor.task)


def test_windows_are_learnt_from_where_the_beginning_says_nothing(
    taught: Artifact, data: Dataset, tmp_path: Path
) -> None:
    assert open_artifact(taught.path).task.overlap == 0
    assert taught.history[-1]["options"]["overlap"] == 0
    assert quality(taught, data) > 0.9
    cut = taught_by(data, tmp_path, max_tokens=TOKENS)
    assert cut.task.overlap is None and "overlap" not in cut.history[-1]["options"]
    assert quality(cut, data) < 0.7, "a fifth of the texts is short, and a third of the others is guessed"


@pytest.mark.slow
def test_students_learn_from_windows_and_read_them(lean: Compressed, taught: Artifact, data: Dataset) -> None:
    student = next(rung for rung in lean.report.rungs if rung.name == "distilled to 3 layers")
    assert lean.report.rungs[0].quality > 0.9 and student.quality > 0.8
    assert lean.report.rungs[3].agreement == 1, "the fp32 graph answers as PyTorch does"
    assert lean.artifact.task == taught.task and not any("are cut" in note for note in lean.report.notes)
    assert "longer texts are read in windows" in (lean.artifact.path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("engine", ["onnxruntime", "native"])
@pytest.mark.parametrize("threads", [1, 2])
def test_every_engine_gives_the_mean_of_the_windows(lean: Compressed, data: Dataset, engine: str, threads: int) -> None:
    model, test = LightPredictor(lean.artifact, threads=threads, engine=engine, tuning=False), data.test
    assert test is not None
    words = max(test.texts, key=len).split()
    parts = [" ".join(words[start : start + TOKENS - 2]) for start in range(0, len(words), TOKENS - 2)]
    model.read_long("truncate")
    alone = logits(model, parts)
    assert len(alone) > 2 and np.ptp(alone, axis=0).max() > 0.05
    model.read_long("windows")
    whole = logits(model, [" ".join(words), "goal", *test.texts])
    assert whole[0] == pytest.approx(alone.mean(axis=0), abs=0.02)
    assert len(model.tokenize(test.texts)) > 2 * len(test)
    shares = [max(each.probabilities.values()) for each in model.predict([*test.texts])]
    exponents = np.exp(whole[2:] - whole[2:].max(axis=1, keepdims=True))
    assert shares == pytest.approx((exponents.max(axis=1) / exponents.sum(axis=1)).tolist(), abs=0.02)


def test_pytorch_and_the_graph_read_alike(taught: Artifact, data: Dataset, tmp_path: Path) -> None:
    made = Onnx()(taught, make_context(tmp_path, taught, data=data), tmp_path / "graph")
    assert data.test is not None
    ours, theirs = (
        logits(predictor, data.test.texts) for predictor in (LightPredictor(made, threads=1), TorchPredictor(taught))
    )
    assert np.ptp(theirs, axis=0).max() > 1 and np.abs(ours - theirs).max() < 1e-4


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


@pytest.mark.slow
def test_the_commands_say_what_is_cut_and_read_as_they_are_told(
    source: Path, data: Dataset, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "start").mkdir()
    start = taught_by(data, tmp_path / "start", max_tokens=TOKENS, epochs=1)
    common = ("--epochs", 3, "--batch-size", 12, "--learning-rate", 3e-3, "--max-tokens", TOKENS, "--threads", 1)
    code, out, err = command("train", source, "--encoder", start.path, "--output", tmp_path / "cut", *common)
    assert code == 0, err
    assert "train texts are longer than 14 tokens and are cut; --long windows reads them whole" in err
    assert err.index("are cut") < err.index("epoch 1/3")
    code, out, err = command(
        "train", source, "--encoder", start.path, "--output", tmp_path / "whole", "--long", "windows", *common
    )
    assert code == 0, err
    assert "are cut" not in err and "windows in all" in err
    # A model that was trained on what is cut is made to read the whole for all that is made of it.
    small = (
        "--recipe", "quick", "--max-drop", 100, "--rounds", 1, "--no-memory", "--threads", 1, "--allow-weak-teacher",
        "--allow-lost-classes", "--no-floor",
    )  # fmt: skip
    code, out, err = command(
        "compress", tmp_path / "cut", "--data", source, "--output", tmp_path / "lean", "--overlap", 3, *small
    )
    assert code == 0, err
    assert open_artifact(tmp_path / "lean").task.overlap == 3
    text = max(data.train.texts if data.train else (), key=len)
    answers = {}
    for name, options in {"whole": (), "cut": ("--long", "truncate"), "again": ("--overlap", 3)}.items():
        code, out, err = command("predict", tmp_path / "lean", text, *options)
        assert code == 0, err
        answers[name] = json.loads(out)
    assert answers["whole"] == answers["again"] != answers["cut"]


@pytest.mark.slow
def test_answers_over_http_are_those_of_predict(lean: Compressed, data: Dataset) -> None:
    model, test = LightPredictor(lean.artifact, threads=1), data.test
    assert test is not None
    texts = [*test.texts[:10], "goal team " * 60]
    folder = str(lean.artifact.path)
    with Server(folder) as server:
        reply = server.ask("POST", "/predict", {"inputs": texts})
        assert reply.status == 200, reply.json
        for found, expected in zip(reply.json, model.predict(texts), strict=True):
            assert {each["label"]: each["score"] for each in found} == pytest.approx(expected.probabilities, abs=1e-4)
    with Server(folder, "--long", "truncate") as server:
        assert server.ask("POST", "/predict", {"inputs": texts}).status == 422
        reply = server.ask("POST", "/predict", {"inputs": texts, "truncate": True})
        model.read_long("truncate")
        with pytest.warns(UserWarning, match="were cut"):
            cut = model.predict(texts)
        for found, expected in zip(reply.json, cut, strict=True):
            assert {each["label"]: each["score"] for each in found} == pytest.approx(expected.probabilities, abs=1e-4)


def test_a_teacher_is_read_otherwise_in_a_copy(taught: Artifact, data: Dataset, tmp_path: Path) -> None:
    assert reread(taught, None, None, tmp_path, print) is taught
    other = reread(taught, "truncate", None, tmp_path, print)
    assert other.task.overlap is None and other.files == taught.files and other.history == taught.history
    assert other.content_hash != taught.content_hash and taught.task.overlap == 0
    assert reread(taught, "truncate", None, tmp_path, print).path == other.path
    assert quality(other, data) < quality(taught, data) - 0.2


def test_what_is_not_built_refuses_with_a_word(
    lean: Compressed, taught: Artifact, data: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(
        LeanformerError, match="reads long texts in windows, and models of a cascade cut them\n  remedy"
    ):
        check_members([lean.artifact, taught])
    recipe = find_recipe("xtremedistil").with_options({"student.embedding": 8, "student.units": 8})
    with pytest.raises(LeanformerError, match="a recurrent student reads no long texts in windows\n  remedy"):
        run(taught.path, tmp_path / "lean", recipe, data=data)
