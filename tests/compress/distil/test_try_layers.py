"""Choosing layers by brief trials: the candidates, the winner, and that a trial leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from leanformer.compress.distil.try_layers import candidates, trial_distances, try_layers
from leanformer.tokenizer import Tokenizer
from tests.compress.distil.test_choose_layers import teacher_with_idle_layers
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_dataset

DATA = tiny_dataset()


@pytest.mark.parametrize(
    ("depth", "keep", "expected"),
    [
        (6, 3, [(0, 2, 5), (0, 3, 5), (1, 3, 5)]),
        (6, 2, [(0, 5), (2, 5)]),
        (6, 1, [(5,)]),
        (12, 4, [(0, 3, 7, 11), (0, 4, 8, 11), (2, 5, 8, 11)]),
        (4, 4, [(0, 1, 2, 3)]),
    ],
)
def test_candidates_lie_evenly(depth: int, keep: int, expected: list[tuple[int, ...]]) -> None:
    assert candidates(depth, keep) == expected


def test_the_layers_that_matter_win(tmp_path: Path) -> None:
    """Layers 1 and 2 (from 0) do the work: no even candidate has both, so only the untrained nearest can win."""
    model = teacher_with_idle_layers(4, {0, 3})
    teacher = tiny_artifact(tmp_path / "teacher", model=model)
    context = make_context(tmp_path, teacher, data=DATA)
    tokenizer = Tokenizer(teacher.file("tokenizer.json"), teacher.max_tokens)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert DATA.train is not None
    assert DATA.dev is not None
    said: list[str] = []
    options = {"dev": DATA.dev, "tokenizer": tokenizer, "learning_rate": 1e-5}
    context = make_context(tmp_path, teacher, data=DATA, say=said.append)
    kept = try_layers(model, 2, texts=DATA.train.texts[:32], context=context, **options)
    assert kept == (1, 2)
    assert sum("tried on 32 texts" in line for line in said) == len(candidates(4, 2)) + 1
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert [path.name for path in context.work.iterdir()] == ["trials.json"]
    assert try_layers(model, 2, texts=DATA.train.texts[:32], context=context, **options) == kept


def test_trials_that_were_made_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run killed in the second trial makes that one and those after it; other texts mean other trials."""
    from leanformer.compress.distil import try_layers as module
    from tests.making.trainings import KilledError, dying

    model = teacher_with_idle_layers(4, {0, 3})
    teacher = tiny_artifact(tmp_path / "teacher", model=model)
    tokenizer = Tokenizer(teacher.file("tokenizer.json"), teacher.max_tokens)
    assert DATA.train is not None
    options = {"dev": DATA.dev, "tokenizer": tokenizer, "learning_rate": 1e-3}

    def distances(folder: str, said: list[str], texts: int = 32) -> dict[tuple[int, ...], float]:
        context = make_context(tmp_path / folder, teacher, data=DATA, say=said.append)
        assert DATA.train is not None
        return trial_distances(model, 2, texts=DATA.train.texts[:texts], context=context, **options)

    def tried(said: list[str]) -> int:
        return sum("tried on" in line for line in said)

    whole = distances("whole", said := [])
    assert tried(said) == len(whole) >= 3
    with monkeypatch.context() as patch:
        patch.setattr(module, "fit", dying(1, module.fit))
        with pytest.raises(KilledError):
            distances("killed", [])
    assert distances("killed", said := []) == whole
    assert tried(said) == len(whole) - 1
    assert list(distances("killed", said := [], texts=24)) == list(whole)
    assert tried(said) == len(whole)


def test_without_texts_the_even_ones_are_taken(tmp_path: Path) -> None:
    model = teacher_with_idle_layers(4, {0, 3})
    teacher = tiny_artifact(tmp_path / "teacher", model=model)
    tokenizer = Tokenizer(teacher.file("tokenizer.json"), teacher.max_tokens)
    assert DATA.dev is not None
    context = make_context(tmp_path, teacher, data=DATA)
    options = {"texts": (), "dev": DATA.dev, "tokenizer": tokenizer, "context": context, "learning_rate": 1e-4}
    assert try_layers(model, 2, **options) == (0, 3)
    with pytest.raises(ValueError, match="cannot keep 5 of 4"):
        try_layers(model, 5, **options)
