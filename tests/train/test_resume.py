"""A training run goes on after a kill as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from leanformer.train import checkpoint
from leanformer.train.loop import FitResult
from leanformer.train.optimisers import Group, adamw
from tests.making.trainings import SETTINGS, KilledError, Run, equal


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, FitResult]:
    """A run that nobody interrupted."""
    run = Run(tmp_path_factory.mktemp("whole"))
    return run, run.fit()


@pytest.mark.slow
@pytest.mark.parametrize("line", [0, 7, 8, 12, 26])
def test_a_run_killed_while_speaking_ends_with_the_same_bytes(
    line: int, whole: tuple[Run, FitResult], tmp_path: Path
) -> None:
    """Eight lines of steps and one of the score an epoch; the line numbers lie within and at the ends of epochs."""
    reference, expected = whole
    assert len(reference.said) == 27
    killed = Run(tmp_path)

    def die(text: str) -> None:
        killed.said.append(text)
        if len(killed.said) > line:
            raise KilledError

    with pytest.raises(KilledError):
        killed.fit(say=die)
    torch.manual_seed(99)  # whatever the new process has drawn before
    again = Run(tmp_path)
    result = again.fit()
    assert again.said[0].startswith("taken up at epoch")
    # With a checkpoint at every step none is trained twice; a score is spoken of before it is kept.
    assert len(again.said) - 1 == 27 - line - (0 if line % 9 == 8 else 1)
    assert result.scores == expected.scores and result.best_epoch == expected.best_epoch
    assert equal(again.weights(), reference.weights())


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_run_killed_while_scoring_ends_with_the_same_bytes(
    epoch: int, whole: tuple[Run, FitResult], tmp_path: Path
) -> None:
    reference, expected = whole
    killed = Run(tmp_path)

    def die() -> float:
        if len(killed.states) == epoch:
            raise KilledError
        return killed.score()

    with pytest.raises(KilledError):
        killed.fit(score=die)
    again = Run(tmp_path)
    assert again.fit().scores == expected.scores
    assert equal(again.weights(), reference.weights())
    assert len(again.states) == 3 - epoch


def test_killed_twice_with_checkpoints_at_epochs_only(whole: tuple[Run, FitResult], tmp_path: Path) -> None:
    reference, expected = whole
    for line in (12, 6):
        killed = Run(tmp_path, replace(SETTINGS, checkpoint_seconds=1e9))

        def die(text: str, killed: Run = killed, line: int = line) -> None:
            killed.said.append(text)
            if len(killed.said) > line:
                raise KilledError

        with pytest.raises(KilledError):
            killed.fit(say=die)
    # How often checkpoints are written is no part of a run's identity.
    again = Run(tmp_path, SETTINGS)
    assert again.fit().scores == expected.scores
    assert again.said[0] == "taken up at epoch 2, step 0"
    assert equal(again.weights(), reference.weights())


@pytest.mark.parametrize("kill_at", [2, 3])
def test_the_best_weights_outlive_a_kill(kill_at: int, tmp_path: Path) -> None:
    """Best in the first epoch, killed while the second or the third is scored: the first epoch's weights come back."""
    values = [0.9, 0.5, 0.6]
    killed = Run(tmp_path)

    def score() -> float:
        killed.score()
        if len(killed.states) == kill_at:
            raise KilledError
        return values[len(killed.states) - 1]

    with pytest.raises(KilledError):
        killed.fit(score=score)
    again = Run(tmp_path)
    left = iter(values[kill_at - 1 :])
    result = again.fit(score=lambda: next(left))
    assert result.scores == (0.9, 0.5, 0.6) and result.best_epoch == 0
    assert equal(again.model.state_dict(), killed.states[0])
    finished = Run(tmp_path)
    finished.fit()
    assert equal(finished.model.state_dict(), killed.states[0])


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    run = Run(tmp_path, replace(SETTINGS, epochs=1))
    expected = run.fit()
    again = Run(tmp_path, replace(SETTINGS, epochs=1))
    assert again.fit() == expected
    assert again.states == [] and again.said == ["taken up at epoch 2, step 0"]
    assert equal(again.weights(), run.weights())


@pytest.mark.parametrize(
    "change",
    [{"seed": 14}, {"learning_rate": 1e-3}, {"batch_size": 15}, {"epochs": 4}, {"weight_decay": 0.0}, {"clip": 9.0},
     {"token_budget": 99}, {"warmup": 0.5}, {"precision": "bf16"}],
)  # fmt: skip
def test_other_settings_start_anew(change: dict[str, Any], tmp_path: Path) -> None:
    run = Run(tmp_path)

    def die(text: str) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        run.fit(say=die)
    other = Run(tmp_path, replace(SETTINGS, **change))
    with pytest.raises(KilledError):
        other.fit(say=lambda text: (other.said.append(text), die(text))[1])
    assert not other.said[0].startswith("taken up")


def test_seeds_matter_and_repeat(whole: tuple[Run, FitResult], tmp_path: Path) -> None:
    weights = []
    for index, seed in enumerate((13, 14)):
        run = Run(tmp_path / str(index), replace(SETTINGS, seed=seed))
        torch.manual_seed(index)
        run.fit()
        weights.append(run.weights())
    assert equal(weights[0], whole[0].weights())
    assert not equal(weights[0], weights[1])


def test_a_checkpoint_is_no_pickle_and_of_one_run(tmp_path: Path) -> None:
    run = Run(tmp_path, replace(SETTINGS, epochs=1))
    run.fit()
    assert {path.suffix for path in run.folder.iterdir()} == {".safetensors", ".json"}
    module = nn.ModuleDict({"model": run.model, "objective": run.objective})
    optimizer = adamw([Group(list(module.parameters()))], SETTINGS)
    assert checkpoint.load_checkpoint(run.folder, "another run", model=module, optimizer=optimizer) is None
    assert checkpoint.load_checkpoint(tmp_path / "absent", "any", model=module, optimizer=optimizer) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu(tmp_path: Path) -> None:
    cuda = torch.device("cuda")
    run = Run(tmp_path, replace(SETTINGS, precision="auto"), cuda)
    assert len(run.fit().scores) == 3
    assert not equal(run.weights(), {name: value.to(cuda) for name, value in Run(tmp_path).weights().items()})
    again = Run(tmp_path, replace(SETTINGS, precision="auto"), cuda)
    again.fit()
    assert again.said == ["taken up at epoch 4, step 0"]
    assert equal({n: v.cpu() for n, v in again.weights().items()}, {n: v.cpu() for n, v in run.weights().items()})
