"""`leanformer train --method`: each way of making a teacher, from end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import LeanformerError, RecipeError
from leanformer.finetune.fine_tune import FineTune
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.options import options
from leanformer.predictor import logits
from leanformer.recipe.train import train
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_dataset
from tests.making.trainings import KilledError

WHOLE = tiny_dataset()
DATA = replace(WHOLE, train=WHOLE.train and WHOLE.train.select(range(24)))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("encoder") / "encoder")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leanformer.finetune.full._STEPS", 4)
    monkeypatch.setattr("leanformer.finetune.contrastive.PER_TEXT", 2)


def made(encoder: Artifact, output: Path, method: str, **others: Any) -> Artifact:
    said = others.pop("said", [])
    data = others.pop("data", DATA)
    return train(
        encoder, data, output, method=method, threads=1, device="cpu", max_tokens=32, say=said.append, **others
    )  # fmt: skip


@pytest.mark.parametrize("method", ["frozen", "contrastive", "adapter"])
def test_the_result_is_an_ordinary_model(method: str, encoder: Artifact, tmp_path: Path):
    artifact = made(encoder, tmp_path / "out", method)
    (entry,) = artifact.history
    assert artifact.format == "encoder" and entry["options"]["method"] == method
    assert DATA.dev is not None
    answers = logits(TorchPredictor(artifact), DATA.dev.inputs).argmax(axis=1)
    assert max(entry["result"]["dev_accuracy"]) == pytest.approx((answers == DATA.dev.targets).mean())
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing is left in the work folder"
    before, after = read_model(encoder).state_dict(), read_model(artifact).state_dict()
    matrices = [name for name in before if "layers" in name and before[name].ndim == 2]
    assert all(torch.equal(before[name], after[name]) for name in matrices) is (method != "contrastive")


def test_auto_takes_the_best_and_says_why(encoder: Artifact, tmp_path: Path):
    said: list[str] = []
    artifact = made(encoder, tmp_path / "auto", "auto", said=said)
    result = artifact.history[0]["result"]
    assert list(result["cross_validated"]) == ["linear n-grams", "frozen", "contrastive", "adapter", "full"]
    assert sum(line.endswith("held out in turn") for line in said) == 5
    chosen = result["chosen"]
    assert f"method {chosen}: {result['why']}" in said and [path.name for path in tmp_path.iterdir()] == ["auto"]
    if chosen != "full":  # with few texts it has settings of its own
        assert made(encoder, tmp_path / "same", chosen).content_hash == artifact.content_hash


def test_a_killed_choice_goes_on(encoder: Artifact, tmp_path: Path):
    def killed(line: str) -> None:
        if line.startswith("frozen: "):
            raise KilledError

    said: list[str] = []
    with pytest.raises(KilledError):
        train(encoder, DATA, tmp_path / "out", method="auto", threads=1, device="cpu", max_tokens=32, say=killed)
    assert [path.name for path in (tmp_path / "out.work").iterdir()] == ["choice.json"]
    assert made(encoder, tmp_path / "out", "auto", said=said).history[0]["result"]["chosen"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_no_dev_split_is_needed_for_few_labels(encoder: Artifact, tmp_path: Path):
    bare = replace(DATA, dev=None)
    for method in ("frozen", "adapter"):
        assert "dev_accuracy" not in made(encoder, tmp_path / method, method, data=bare).history[0]["result"]
    with pytest.raises(LeanformerError, match="no dev split"):
        made(encoder, tmp_path / "full", "full", data=bare)


def test_full_is_the_default_and_leaves_no_trace(encoder: Artifact, tmp_path: Path):
    usual = made(encoder, tmp_path / "full", "full", epochs=1)
    assert "method" not in usual.history[0]["options"] and "method" not in options(FineTune())
    # A step says it too.
    context = replace(make_context(tmp_path, encoder), data=DATA)
    step = FineTune(method="frozen", max_tokens=32)(encoder, context, tmp_path / "step")
    assert step.history[-1]["options"]["method"] == "frozen"
    assert step.content_hash == made(encoder, tmp_path / "frozen", "frozen").content_hash
    assert open_artifact(tmp_path / "frozen").history[0]["options"]["max_tokens"] == 32


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"method": "frozen", "epochs": 9}, "epochs: the method frozen has settings of its own"),
        ({"method": "auto", "learning_rate": 1e-3}, "leave learning_rate out, or choose the method full"),
        ({"method": "adapter", "adapter": "bitfit"}, "adapter: the method adapter has settings of its own"),
        ({"method": "best"}, "method is one of full, frozen, contrastive, adapter, auto, not 'best'"),
    ],
)
def test_options_that_a_method_does_not_have_are_refused(asked: dict[str, Any], message: str):
    with pytest.raises(RecipeError, match=message):
        FineTune(**asked)
