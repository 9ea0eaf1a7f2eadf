"""A supernet: rewired it computes the same, its members learn the teacher's answers, a killed run ends the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.compress.prune.importance import first_order_scores, row_losses
from leanformer.compress.prune.scoring_set import batches_of, scoring_set
from leanformer.compress.supernet.extract import Extract
from leanformer.compress.supernet.supernet import Supernet
from leanformer.errors import DataError, RecipeError
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.models.surgery import head_norms
from leanformer.predictor import logits
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.planned import PlannedShape
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_config, tiny_dataset

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"widths": (1.0, 0.5), "depths": (1.0, 0.5), "epochs": 1, "batch_size": 32, "scored_texts": 40}
BAD = ({"widths": [0.5]}, {"depths": "all"})
DEFAULTS = "1 103b3a8c4c84"

CONFIG = tiny_config(layers=(LayerShape(4, 48),) * 4)
DATA = replace(tiny_dataset(), test=None)
GRID: dict[str, Any] = {
    "widths": (1.0, 0.5),
    "depths": (1.0, 0.5),
    "batch_size": 16,
    "precision": "fp32",
    "scored_texts": 60,
}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "teacher", config=CONFIG, seed=11)


def supernet(folder: Path, teacher: Artifact, say: Any = lambda line: None, **options: Any) -> Artifact:
    assert DATA.dev is not None  # by which the best epoch is chosen: what a random teacher answers, not what is true
    answers = logits(TorchPredictor(teacher), DATA.dev.texts).argmax(axis=1)
    data = replace(DATA, dev=replace(DATA.dev, labels=tuple(answers.tolist())))
    context = make_context(folder, teacher, data=data, say=say)
    return Supernet(**GRID | options)(teacher, context, folder / "supernet")


def small(folder: Path, source: Artifact, teacher: Artifact) -> Artifact:
    return Extract()(source, make_context(folder, teacher, data=DATA), folder / "small")


def distance(model: Artifact, teacher: Artifact) -> float:
    texts = tiny_dataset().test.texts  # type: ignore[union-attr]
    ours, theirs = (torch.from_numpy(logits(TorchPredictor(each), texts)).log_softmax(1) for each in (model, teacher))
    return float((theirs.exp() * (theirs - ours)).sum(1).mean())


@pytest.fixture(scope="module")
def untrained(teacher: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The rewired model: with this rate no weight moves."""
    return supernet(tmp_path_factory.mktemp("untrained"), teacher, epochs=1, learning_rate=1e-15, weight_decay=0.0)


def test_rewired_it_computes_the_same_with_heads_in_another_order(teacher: Artifact, untrained: Artifact):
    assert distance(untrained, teacher) < 1e-6
    before, after = read_model(teacher), read_model(untrained)
    assert not torch.allclose(head_norms(before, 0), head_norms(after, 0), rtol=1e-3)
    torch.testing.assert_close(head_norms(before, 0).sort().values, head_norms(after, 0).sort().values)


def test_the_most_important_heads_and_units_come_first(teacher: Artifact, untrained: Artifact, tmp_path: Path):
    context, model = make_context(tmp_path, teacher, data=DATA), read_model(untrained)
    batches = batches_of(scoring_set(untrained, context, 60), batch_size=32, seed=13, device=torch.device("cpu"))
    scores = first_order_scores(model, batches, row_losses("label"))
    for score in (*scores.heads, *scores.units):
        assert (score[:-1] >= score[1:] - 1e-5).all() and score[0] > 1.1 * score[-1]


@pytest.mark.slow
def test_all_members_learn_the_teachers_answers(teacher: Artifact, untrained: Artifact, tmp_path: Path):
    trained = supernet(tmp_path, teacher, epochs=2, learning_rate=1e-2)
    assert distance(trained, teacher) < 0.05
    before, after = (distance(small(tmp_path / name, each, teacher), teacher) for name, each in
                     (("before", untrained), ("after", trained)))  # fmt: skip
    assert after < 0.1 * before  # with the largest member trained alone it is above half of it
    entry = trained.history[-1]
    assert entry["step"] == "compress.supernet" and entry["parent"] == teacher.content_hash
    assert len(entry["result"]["dev_accuracy"]) == 2


def test_a_killed_run_is_taken_up_and_ends_with_the_same_bytes(tmp_path: Path):
    # With dropout, which draws at random: what a run draws must not depend on where it was taken up.
    config = replace(CONFIG, layers=CONFIG.layers[:2], dropout=0.1, attention_dropout=0.1)
    teacher = tiny_artifact(tmp_path / "teacher", config=config, seed=11)
    options = {"epochs": 2, "use_unlabelled": False, "batch_size": 32}
    whole = supernet(tmp_path / "whole", teacher, **options)

    class KilledError(Exception):
        pass

    epochs: list[str] = []

    def kill(line: str) -> None:
        epochs.append(line) if "  dev " in line else None
        if len(epochs) == 2:  # the checkpoint of an epoch is written after its line
            raise KilledError

    with pytest.raises(KilledError):
        supernet(tmp_path / "killed", teacher, say=kill, **options)
    said: list[str] = []
    again = supernet(tmp_path / "killed", teacher, say=said.append, **options)
    assert any("taken up at epoch 2" in line for line in said)
    assert again.content_hash == whole.content_hash


def test_hidden_states_of_another_tokenizer_are_refused(teacher: Artifact, tmp_path: Path):
    other = tiny_artifact(tmp_path / "other", config=CONFIG, max_tokens=16)
    context = make_context(tmp_path, other, data=DATA)
    with pytest.raises(RecipeError, match=r"token by token.*\n  remedy: hidden_weight: 0"):
        Supernet(**GRID, epochs=1)(teacher, context, tmp_path / "made")
    made = Supernet(**GRID, epochs=1, hidden_weight=0.0)(teacher, context, tmp_path / "made")
    assert made.max_tokens == 32


@pytest.mark.parametrize(
    ("lacking", "said"),
    [({"dev": None}, "needs a dev split"), ({"train": None, "unlabelled": None}, "nothing to distil")],
)
def test_data_that_lack_a_split(lacking: dict[str, None], said: str, teacher: Artifact, tmp_path: Path):
    context = make_context(tmp_path, teacher, data=replace(DATA, **lacking))
    with pytest.raises(DataError, match=said):
        Supernet()(teacher, context, tmp_path / "made")


@pytest.mark.parametrize("part", [{"adapter": "bitfit"}, {"layer_drop": 0.2}, {"checkpointing": True}])
def test_parts_that_change_what_members_are_made_of_are_refused(part: dict[str, Any]):
    with pytest.raises(RecipeError, match=f"leave `{next(iter(part))}` out"):
        Supernet(**part)


def test_its_shape_is_that_of_its_input():
    shape = PlannedShape(32, 8, ((4, 48),) * 4)
    assert Supernet().planned(shape) == shape
