"""Everything that is made of a model that answers from a context, through the commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from leanformer.answers.forms import decide, form_of
from leanformer.artifact import Artifact, open_artifact
from leanformer.compress.prune.layer_drop import LayerDrop
from leanformer.compress.prune.prune import Prune
from leanformer.compress.prune.prune_post_training import PrunePostTraining
from leanformer.compress.shape.convert_attention import ConvertAttention
from leanformer.compress.vocabulary.trim_vocabulary import TrimVocabulary
from leanformer.data.dataset import Dataset
from leanformer.finetune.fine_tune import FineTune
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.runtime.settings import RuntimeSettings, default_settings
from leanformer.step import Make
from leanformer.tune import tune as tune_module
from tests.e2e.test_spans import question
from tests.making.commands import Command, make_command
from tests.making.graphs import make_context
from tests.making.searches import SIMPLE, write_space
from tests.making.taught import taught_by, write_splits

QUICK = (
    "--goal", "size", "--max-drop", 100, "--rounds", 1, "--no-memory", "--threads", 1, "--device", "cpu",
    "--allow-weak-teacher", "--no-floor",
)  # fmt: skip
OPEN = ("max_flips=1.0", "max_mean_share=10.0")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spans")


@pytest.fixture(scope="module")
def data(source: Path) -> Dataset:
    return write_splits(source, question, {"train": 200, "dev": 40, "test": 24})


@pytest.fixture(scope="module")
def taught(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return taught_by(data, tmp_path_factory.mktemp("spans-teacher"), max_tokens=14, overlap=2)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


def recipe(folder: Path, *steps: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text("name: tried\nsteps:\n" + "".join(f"  - {{{step}}}\n" for step in steps), encoding="utf-8")
    return path


def chosen_on_dev(artifact: Artifact, data: Dataset) -> float | None:
    """The score that answers need for the highest F1 on dev, by the artifact's own answers."""
    assert data.dev is not None
    values = logits(open_predictor(artifact, threads=1), data.dev.inputs)
    return form_of(artifact.task).after_training(artifact.task, values, data.dev.targets).no_answer


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        Prune(heads=2, ffn=24), PrunePostTraining(keep=0.7, multiple=1), LayerDrop(drop=1),
        TrimVocabulary(min_count=40), ConvertAttention(kind="linear", layers=(2,)),
        FineTune(epochs=1, batch_size=16, learning_rate=3e-3),
    ],
    ids=lambda step: step.technique,
)  # fmt: skip
def test_the_score_that_an_answer_needs_is_that_of_the_new_logits(
    step: Make, taught: Artifact, data: Dataset, tmp_path: Path
) -> None:
    other = step(taught, make_context(tmp_path, taught, data=data), tmp_path / "other")
    assert other.task.no_answer == pytest.approx(chosen_on_dev(other, data), abs=1e-4)
    assert other.task.no_answer != taught.task.no_answer
    assert (other.task.longest, other.task.overlap) == (taught.task.longest, 2)


@pytest.mark.slow
def test_int8_chooses_it_again(
    taught: Artifact,
    data: Dataset,
    source: Path,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = [default_settings(1), RuntimeSettings(pack_tokens=64)]
    monkeypatch.setattr(tune_module, "candidates", lambda goal, cores, engine: few)
    monkeypatch.setattr(tune_module, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(tune_module, "_check_budget", lambda *given: None)
    made = recipe(
        tmp_path,
        "step: export.onnx, name: graph",
        f"step: export.int8, name: int8, rung: int8, {', '.join(OPEN).replace('=', ': ')}",
    )
    code, out, err = command(
        "compress", taught.path, "--data", source, "--output", tmp_path / "lean", "--recipe", made, *QUICK,
        "--allow-lost-classes",
    )  # fmt: skip
    assert code == 0, out + err
    lean = open_artifact(tmp_path / "lean")
    assert lean.properties["precision"] == "int8 mixed"
    assert lean.task.no_answer == pytest.approx(chosen_on_dev(lean, data), abs=0.05)
    assert lean.task.no_answer != taught.task.no_answer
    for arguments in (
        ("bench", lean.path, taught.path, "--data", source, "--rounds", 1, "--no-memory", "--threads", 1),
        ("tune", lean.path, "--data", source, "--seconds", 0.3, "--texts", 16, "--threads", 1, "--max-changed", 1),
        ("inspect", lean.path),
    ):
        code, out, err = command(*arguments)
        assert code == 0, out + err
    assert "in windows that overlap by 2" in out


@pytest.mark.slow
def test_recipes_that_prune_and_distil_again(taught: Artifact, source: Path, command: Command, tmp_path: Path) -> None:
    small = [
        f"{step}.{option}"
        for step, options in {
            "student": ("layers=2", "epochs=1", "batch_size=16", "learning_rate=0.003", "trial_texts=0"),
            "again": ("layers=null", "epochs=1", "batch_size=16", "learning_rate=0.003", "trial_texts=0"),
            "pruned": ("heads=3", "ffn=32"), "teacher-int8": OPEN, "again-int8": OPEN,
        }.items()
        for option in options
    ]  # fmt: skip
    sets = [part for change in small for part in ("--set", change)]
    code, out, err = command(
        "compress", taught.path, "--data", source, "--output", tmp_path / "lean", "--recipe", "fastformers", *sets,
        *QUICK, "--allow-lost-classes",
    )  # fmt: skip
    assert code == 0, out + err
    report = json.loads((tmp_path / "lean" / "report.json").read_text("utf-8"))
    names = [rung["name"] for rung in report["rungs"]]
    assert names[-4:] == ["distilled to 3 layers", "pruned, not trained", "pruned, distilled again", "int8"], names
    assert not [note for note in report["notes"] if "left out" in note]


@pytest.mark.slow
def test_a_search_finds_models_that_answer(taught: Artifact, source: Path, command: Command, tmp_path: Path) -> None:
    space = write_space(tmp_path, SIMPLE.replace("accuracy", "answer_f1").replace("epochs: 3", "epochs: 1"))
    code, out, err = command(
        "search", space, "--model", taught.path, "--data", source, "--output", tmp_path / "found", "--trials", 2,
        "--threads", 1, "--device", "cpu", "--rounds", 1, "--allow-weak-teacher", "--allow-lost-classes",
    )  # fmt: skip
    assert code == 0, out + err
    found = [open_artifact(path.parent).task for path in (tmp_path / "found").rglob("leanformer.json")]
    assert found and all((task.kind, task.overlap) == ("span", 2) for task in found)


def test_an_exported_file_gives_the_logits_of_tokens(
    taught: Artifact, data: Dataset, command: Command, tmp_path: Path
) -> None:
    code, out, err = command("export", taught.path, "--output", tmp_path / "model.onnx")
    assert code == 0, out + err
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    predictor = open_predictor(taught, threads=1)
    assert data.test is not None
    for row in predictor.tokenize(data.test.inputs[:5]):
        feeds = {
            "input_ids": row[None, :, 0],
            "token_type_ids": row[None, :, 1],
            "attention_mask": np.ones_like(row[None, :, 0]),
        }
        [[found]] = session.run(["logits"], {name: value.astype(np.int64) for name, value in feeds.items()})
        assert found == pytest.approx(predictor.infer([row]), abs=1e-4)


@pytest.mark.slow
def test_a_checkpoint_goes_out_and_comes_in_as_teacher(
    taught: Artifact, data: Dataset, source: Path, command: Command, tmp_path: Path
) -> None:
    from transformers import AutoModelForQuestionAnswering

    stock = tmp_path / "stock"
    code, out, err = command("export", taught.path, "--to", "transformers", "--output", stock)
    assert code == 0, out + err
    config = json.loads((stock / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["BertForQuestionAnswering"] and "problem_type" not in config
    assert config["null_score_diff_threshold"] == -taught.task.no_answer  # type: ignore[operator]
    model = AutoModelForQuestionAnswering.from_pretrained(stock).eval()
    predictor = open_predictor(taught, threads=1)
    assert data.test is not None
    [row] = predictor.tokenize(data.test.inputs[:1])[:1]
    ids, types = (torch.from_numpy(row[None, :, column].astype(np.int64)) for column in (0, 1))
    with torch.inference_mode():
        found = model(input_ids=ids, token_type_ids=types)
    ours = predictor.infer([row])
    assert found.start_logits[0].numpy() == pytest.approx(ours[:, 0], abs=1e-5)
    assert found.end_logits[0].numpy() == pytest.approx(ours[:, 1], abs=1e-5)
    code, out, err = command(
        "compress", stock, "--data", source, "--output", tmp_path / "lean", "--recipe", "quick", "--max-tokens", 14,
        "--overlap", 2, "--set", f"int8.{OPEN[0]}", "--set", f"int8.{OPEN[1]}", *QUICK,
    )  # fmt: skip
    assert code == 0, out + err
    lean = open_artifact(tmp_path / "lean")
    [teacher] = [
        open_artifact(path)
        for path in (tmp_path / "lean.work").glob("teacher-*")
        if (path / "leanformer.json").is_file() and open_artifact(path).task.overlap == 2
    ]
    assert (teacher.task.longest, teacher.task.overlap) == (taught.task.longest, 2) == (lean.task.longest, 2)
    assert (
        decide(logits(open_predictor(teacher), data.test.inputs), teacher.task).tolist()
        == decide(logits(predictor, data.test.inputs), taught.task).tolist()
    )
    # Of such a checkpoint an encoder can be taken, too; what finds answers stays behind.
    code, out, err = command(
        "train", source, "--encoder", stock, "--output", tmp_path / "again", "--epochs", 1, "--max-tokens", 14,
        "--threads", 1,
    )  # fmt: skip
    assert code == 0 and "starting at random" not in out, out + err
