"""`compress.pretrain`: a start that is nearer to the teacher than before, and that students can begin with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.pretrain.pretrain import Pretrain
from leanformer.data.used_texts import recorded
from leanformer.errors import DataError, RecipeError
from leanformer.models.store import read_model
from leanformer.options import options
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.planned import PlannedShape
from tests.making.graphs import make_context, make_embedder
from tests.making.tiny import tiny_artifact, tiny_config, tiny_dataset, tiny_texts

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"shape": "1x16", "steps": 4, "batch_size": 16}
BAD = ({"shape": "16x"}, {"steps": "many"})
DEFAULTS = "1 7f2b6b10ee8f"

CONFIG = tiny_config(layers=(LayerShape(4, 48),) * 4, dropout=0.1)


class KilledError(BaseException):
    """Like a kill: nothing of ours catches it."""


def corpus(folder: Path, count: int = 150) -> str:
    (folder / "texts.txt").write_text("\n".join(tiny_texts(count, seed=8)[0]), encoding="utf-8")
    return str(folder / "texts.txt")


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "teacher", config=CONFIG)


def made(
    folder: Path, teacher: Artifact, name: str = "start", say: Any = lambda line: None, **options: Any
) -> Artifact:
    chosen = {"shape": "2x16", "steps": 30, "batch_size": 16, "learning_rate": 5e-3, "texts": corpus(folder)} | options
    return Pretrain(**chosen)(teacher, make_context(folder, teacher, say=say), folder / name)


def test_the_held_out_loss_falls_and_is_told(tmp_path: Path, teacher: Artifact) -> None:
    said: list[str] = []
    start = made(tmp_path, teacher, say=said.append)
    result = start.history[-1]["result"]
    assert result["loss"] < 0.7 * result["loss_before"]
    assert any(line == f"loss on 7 held-out texts before: {result['loss_before']:.4f}" for line in said)
    assert said[-1] == f"loss on 7 held-out texts after 30 steps: {result['loss']:.4f}"
    assert (result["layer"], result["relation_heads"], result["texts"], result["held_out"]) == (4, 2, 143, 7)
    assert [line[:14] for line in said if "  dev " in line] == [f"epoch {part}/5  dev" for part in range(1, 6)]
    assert read_model(start).config.dropout == 0.1, "it was trained without, and is written with dropout"
    assert start.max_tokens == teacher.max_tokens and start.task == teacher.task


def test_no_steps_leave_the_start_as_it_is(tmp_path: Path, teacher: Artifact) -> None:
    start = made(tmp_path, teacher, shape="2x32", steps=0)
    ours, theirs = read_model(start).state_dict(), read_model(teacher).state_dict()
    for name, value in ours.items():
        if name.startswith("encoder.layers.1."):
            assert value.equal(theirs[name.replace("layers.1.", "layers.3.")])
    result = start.history[-1]["result"]
    assert result["loss"] == result["loss_before"] and result["initial"] == "layers 2, 4 of 4"


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bytes(tmp_path: Path, teacher: Artifact) -> None:
    whole = made(tmp_path, teacher, "whole")

    def die(line: str) -> None:
        if line.startswith("epoch 3/5  dev"):
            raise KilledError

    with pytest.raises(KilledError):
        made(tmp_path, teacher, "again", say=die)
    said: list[str] = []
    again = made(tmp_path, teacher, "again", say=said.append)
    assert any(line.startswith("taken up at epoch 3") for line in said)
    assert again.content_hash == whole.content_hash and again.history == whole.history
    assert not (tmp_path / "work" / "checkpoint").exists()


@pytest.mark.slow
def test_a_student_starts_from_it(tmp_path: Path, teacher: Artifact) -> None:
    encoder, _, _ = make_embedder(tmp_path / "embedder", layers=(LayerShape(4, 48),) * 4)
    start = made(tmp_path, encoder, shape="3x16")
    assert start.task.width == 16, "vectors of the start's own width"
    step = Distil(start=str(start.path), epochs=1, layers=3, batch_size=32)
    student = step(teacher, make_context(tmp_path, teacher), tmp_path / "student")
    assert read_model(student).config.hidden == 16 and student.task == teacher.task


def test_it_may_be_a_step_before_distillation_on_the_texts_of_the_data(tmp_path: Path, teacher: Artifact) -> None:
    data = tiny_dataset()
    start = made(tmp_path, teacher, texts=None)
    texts = {*data.train.texts, *data.unlabelled.texts}  # type: ignore[union-attr]
    result = start.history[-1]["result"]
    assert result["texts"] + result["held_out"] == len(texts)
    student = Distil(layers=None, epochs=1)(start, make_context(tmp_path, teacher), tmp_path / "student")
    assert [entry["step"] for entry in student.history] == ["compress.pretrain", "compress.distil"]


def test_the_raw_texts_are_recorded(tmp_path: Path, teacher: Artifact) -> None:
    used = recorded(made(tmp_path, teacher, steps=1))
    data = tiny_dataset()
    assert used is not None and data.test is not None
    raw = replace(data.test, texts=tiny_texts(60, seed=8)[0])
    assert set(used.roles_of(raw)) == {"unlabelled"} and set(used.roles_of(data.test)) <= {None, "unlabelled"}


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        ({"layer": 5}, "layer 5, and the input has 4", {"layer": 4}),
        (
            {"relation_heads": 3},
            r"3 relation heads do not divide queries of 16 \(student\) and 32",
            {"relation_heads": 2},
        ),
    ],
)
def test_what_cannot_be_is_refused_and_the_remedy_works(
    options: dict[str, Any], message: str, remedy: dict[str, Any], tmp_path: Path, teacher: Artifact
) -> None:
    [(name, value)] = remedy.items()
    with pytest.raises(RecipeError, match=rf"{message}.*\n  remedy: {name}: {value}"):
        made(tmp_path, teacher, **options)
    assert made(tmp_path, teacher, **remedy, steps=1)


def test_too_few_texts_are_refused(tmp_path: Path, teacher: Artifact) -> None:
    few = corpus(tmp_path, 19)
    with pytest.raises(DataError, match=r"texts\.txt: 19 different texts; pre-training needs 20"):
        Pretrain(shape="2x16", texts=few)(teacher, make_context(tmp_path, teacher), tmp_path / "start")


def test_an_option_of_one_objective_changes_nothing_for_others() -> None:
    assert "in_batch" not in options(Pretrain(shape="2x16")), "records and keys are those of earlier versions"
    assert options(Pretrain(objective="vectors", in_batch=0.5))["in_batch"] == 0.5
    with pytest.raises(RecipeError, match=r"in_batch is for the objective vectors, not relations\n  remedy: leave it"):
        Pretrain(in_batch=0.5)


def test_the_shape_is_known_before(teacher: Artifact) -> None:
    whole = PlannedShape(32, 8, ((4, 48),) * 4)
    assert Pretrain(shape="2x16").planned(whole) == PlannedShape(16, 4, ((4, 64),) * 2)
    assert Pretrain(shape="3x32").planned(whole) == PlannedShape(32, 8, ((4, 48),) * 3)
    assert Pretrain().planned(whole) == whole


def test_a_start_never_gets_worse(tmp_path: Path, teacher: Artifact) -> None:
    start = made(tmp_path, teacher, shape="4x32", steps=5)
    assert start.history[-1]["result"]["loss"] < 1e-5, "it began as a copy, and has stayed one"
    ours, theirs = read_model(start).state_dict(), read_model(teacher).state_dict()
    assert all(value.equal(theirs[name]) for name, value in ours.items())
