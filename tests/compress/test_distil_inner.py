"""Following a teacher's inner states from the top, widths and heads projected; word tables that stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.errors import RecipeError
from leanformer.models.store import read_model
from leanformer.recipe.library import find_recipe
from leanformer.shapes.encoder import LayerShape
from leanformer.train.objectives.distillation import attention_distance, last_maps
from tests.compress.distil.test_distil import DEEP, context
from tests.making.tiny import tiny_artifact, tiny_config

INNER: dict[str, Any] = {
    "layers": 2, "hidden": 16, "heads": 2, "projection": True, "soft_weight": 0.0, "hidden_weight": 1.0,
    "attention_weight": 1.0, "attention_kind": "mse", "inner_layers": 1, "batch_size": 16, "epochs": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "teacher", config=DEEP)


def followed(teacher: Artifact, folder: Path, lines: list[str] | None = None, **options: Any) -> Artifact:
    say = (lambda line: None) if lines is None else lines.append
    return Distil(**{**INNER, **options})(teacher, context(teacher, folder, say=say), folder / "student")


def test_layers_are_paired_from_the_top() -> None:
    student, teacher = tiny_config(), tiny_config(layers=(LayerShape(4, 48),) * 5)
    assert last_maps(student, teacher, 1) == (((1, 4), (2, 5)), ((1, 4),))
    assert last_maps(student, teacher, 2) == (((0, 3), (1, 4), (2, 5)), ((0, 3), (1, 4)))
    with pytest.raises(RecipeError, match="has 2 layers and the teacher 5"):
        last_maps(student, teacher, 3)


def test_the_squared_distance_of_attention_is_over_real_tokens() -> None:
    mask = torch.tensor([[1, 1, 0]])
    ours = torch.tensor([[[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [9.0, 9.0, 9.0]]]])
    theirs = torch.tensor([[[[0.5, 0.5, 7.0], [0.0, 1.0, 7.0], [0.0, 0.0, 0.0]]]])
    assert float(attention_distance(ours, theirs, mask, "mse")) == pytest.approx((0 + 1) / 2)


@pytest.mark.slow
def test_inner_states_alone_are_followed_and_judged_by_their_distance(teacher: Artifact, tmp_path: Path) -> None:
    student = followed(teacher, tmp_path / "a", epochs=6, learning_rate=5e-3)
    losses = student.history[-1]["result"]["dev_loss"]
    assert losses[-1] < 0.9 * losses[0] and student.history[-1]["result"]["best_epoch"] == len(losses)
    again = followed(teacher, tmp_path / "b", epochs=6, learning_rate=5e-3)
    assert again.content_hash == student.content_hash


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_word_table_keeps_every_bit(
    teacher: Artifact, tmp_path: Path, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leanformer.compress.distil import student as students

    kept: list[torch.Tensor] = []
    cut = students.cut_student

    def watched(*arguments: Any) -> Any:
        result = cut(*arguments)
        kept.append(result[0].encoder.embeddings.word.weight.detach().clone())
        return result

    monkeypatch.setattr(students, "cut_student", watched)
    made = followed(teacher, tmp_path, freeze_embeddings=frozen, soft_weight=1.0, epochs=2, learning_rate=1e-3)
    after = read_model(made).encoder.embeddings
    assert torch.equal(after.word.weight, kept[0]) is frozen


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_weight": 0.0, "attention_weight": 0.0}, "nothing to learn"),
        ({"hidden_map": ((0, 0),)}, "not both"),
        ({"attention_kind": "kl"}, "attention_kind"),
        ({"inner_layers": 0}, "inner_layers"),
        ({"soft_weight": -1.0}, "soft_weight"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Distil(**{**INNER, **options})


def test_heads_that_differ_need_a_projection(teacher: Artifact, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="projection: true"):
        followed(teacher, tmp_path, projection=False, hidden_weight=0.0, soft_weight=1.0)


def test_the_recipe_is_three_stages() -> None:
    steps = {step.name: step.step for step in find_recipe("xtremedistil-transformers").steps}
    assert (steps["states"].soft_weight, steps["answers"].logit_loss, steps["student"].hard) == (0.0, "mse", 1.0)  # type: ignore[attr-defined]
    assert find_recipe("xtremedistil").steps[1].technique == "compress.bilstm"
