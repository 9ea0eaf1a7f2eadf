"""`leanformer.recipe.pretrain`: an encoder and raw texts to a start, within a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.compress.pretrain.work import Work
from leanformer.data.used_texts import recorded
from leanformer.errors import LeanformerError
from leanformer.recipe.library import find_recipe
from leanformer.recipe.pretrain import pretrain
from leanformer.recipe.run import run_recipe
from leanformer.recipe.train import train
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_dataset, tiny_texts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "pretrain.md"


class KilledError(BaseException):
    """Like a kill: nothing of ours catches it."""


def made(folder: Path, output: str = "start", **options: Any) -> Artifact:
    if not (folder / "encoder").exists():
        tiny_artifact(folder / "encoder")
        (folder / "corpus").mkdir()
        (folder / "corpus" / "a.txt").write_text("\n".join(tiny_texts(100, seed=4)[0]), encoding="utf-8")
    chosen = {"shape": "1x16", "steps": 5, "batch_size": 16, "threads": 1, "device": "cpu"} | options
    return pretrain(folder / "encoder", folder / "corpus", folder / output, **chosen)


def test_an_encoder_is_trained_from_it(tmp_path: Path) -> None:
    start = made(tmp_path)
    assert start.path == tmp_path / "start" and not (tmp_path / "start.work").exists()
    assert (start.path / "effort.json").is_file()
    assert recorded(start) is not None
    model = train(start, tiny_dataset(), tmp_path / "model", epochs=1, threads=1, device="cpu", say=lambda line: None)
    assert open_artifact(model.path).properties["parameters"] == start.properties["parameters"]
    # It replaces an artifact, and keeps what is not ours only if asked to.
    assert made(tmp_path, steps=6).history[-1]["options"]["steps"] == 6
    (tmp_path / "start" / "mine.txt").write_text("mine")
    with pytest.raises(LeanformerError, match=r"mine\.txt in it is not of Leanformer's making"):
        made(tmp_path)
    made(tmp_path, overwrite=True)
    assert (tmp_path / "start" / "mine.txt").read_text() == "mine"


def test_minutes_become_steps_that_a_resumed_run_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Work, "seconds_per_step", lambda self, scratch: 0.5)
    said: list[str] = []

    def die(line: str) -> None:
        said.append(line)
        if line.startswith("epoch 2/5  dev"):
            raise KilledError

    with pytest.raises(KilledError):
        made(tmp_path, steps=1, minutes=0.1, say=die)
    assert "12 steps, about 0.1 minutes on this machine" in said
    monkeypatch.setattr(Work, "seconds_per_step", lambda self, scratch: 9.0)
    start = made(tmp_path, steps=1, minutes=0.1)
    assert start.history[-1]["options"]["steps"] == 12 and not (tmp_path / "start.work").exists()
    monkeypatch.setattr(Work, "seconds_per_step", lambda self, scratch: 0.5)
    assert made(tmp_path, "whole", steps=1, minutes=0.1).content_hash == start.content_hash


def test_the_corpus_is_not_replaced(tmp_path: Path) -> None:
    made(tmp_path, steps=0)
    with pytest.raises(LeanformerError, match="which is read; it will not be overwritten"):
        pretrain(tmp_path / "encoder", tmp_path / "corpus", tmp_path / "encoder", shape="1x16")


def recipes() -> list[str]:
    """The recipes on the page, and the steps that are shown without one."""
    shown = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]
    blocks = [block.partition("```")[0] for block in shown]
    export = "- {step: export.onnx, name: last, rung: last}\n"
    return [block if block.startswith("name:") else f"steps:\n{block}{export}" for block in blocks]


@pytest.mark.parametrize("number", [0, 1])
def test_the_recipes_of_the_page_run(number: int, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("\n".join(tiny_texts(100, seed=4)[0]), encoding="utf-8")
    text = recipes()[number].replace("3x384", "1x16").replace("corpus/", str(tmp_path / "corpus")).replace("2000", "3")
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    teacher = tiny_artifact(tmp_path / "teacher")
    recipe = find_recipe(tmp_path / "recipe.yaml").with_options({})
    outcome = run_recipe(recipe, teacher, make_context(tmp_path, teacher), tmp_path / "run")
    steps = [entry["step"] for entry in outcome.artifacts[recipe.steps[-1].name].history]
    assert steps[:2] == [step.technique for step in recipe.steps[:2]]
    assert len(recipes()) == 2
