"""A moving average of the weights: what is averaged, what is scored and kept, and that a killed run goes on with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.train.hooks import hook as hooks
from leanformer.train.hooks.averaging import Averaging
from tests.making.trainings import SETTINGS, KilledError, Run, equal

NAME = "head.classifier.weight"


class Watch(hooks.Hook):
    """The weights that the optimiser has left, step by step."""

    name = "watch"

    def __init__(self) -> None:
        self.weights: list[Tensor] = []

    def begin(self, run: hooks.Run) -> None:
        self.weights.append(run.model.get_parameter(NAME).detach().clone())

    def after_step(self, run: hooks.Run) -> None:
        self.weights.append(run.model.get_parameter(NAME).detach().clone())


def averaged(folder: Path, decay: float = 0.9, epochs: int = 3) -> Run:
    run = Run(folder, replace(SETTINGS, epochs=epochs))
    run.hooks = [Averaging(decay)]
    return run


def test_the_average_is_scored_and_kept_and_training_goes_on_without(tmp_path: Path) -> None:
    run, watch = averaged(tmp_path, epochs=2), Watch()
    run.hooks.append(watch)
    values = iter([0.1, 0.2])
    run.fit(score=lambda: (run.score(), next(values))[1])
    average, expected = watch.weights[0], []
    for number, weight in enumerate(watch.weights[1:], start=1):
        decay = min(0.9, (1 + number) / (10 + number))
        average = decay * average + (1 - decay) * weight
        expected.append(average)
    torch.testing.assert_close(run.states[0][NAME], expected[7])
    torch.testing.assert_close(run.states[1][NAME], expected[15])
    assert torch.equal(run.model.state_dict()[NAME], run.states[1][NAME])
    # The steps are those of a run without it.
    plain, other = Run(tmp_path / "plain", replace(SETTINGS, epochs=2)), Watch()
    plain.hooks = [other]
    plain.fit()
    assert all(torch.equal(weight, two) for weight, two in zip(watch.weights, other.weights, strict=True))
    assert not torch.equal(plain.states[1][NAME], run.states[1][NAME])


def test_what_is_frozen_and_what_the_objective_has_of_its_own(tmp_path: Path) -> None:
    run = averaged(tmp_path)
    run.model.encoder.embeddings.requires_grad_(False)
    before = run.model.encoder.embeddings.word.weight.clone()
    run.fit()
    assert torch.equal(run.model.encoder.embeddings.word.weight, before)
    state = run.hooks[0].state()
    assert state is not None and "objective.scale" in state.tensors and state.values == {"steps": 24}
    assert not any("embeddings" in name for name in state.tensors)


@pytest.mark.slow
@pytest.mark.parametrize("line", [3, 8, 12])
def test_a_killed_run_ends_with_the_same_bytes(line: int, tmp_path: Path) -> None:
    whole = averaged(tmp_path / "whole")
    expected = whole.fit()
    killed = averaged(tmp_path)

    def die(text: str) -> None:
        killed.said.append(text)
        if len(killed.said) > line:
            raise KilledError

    with pytest.raises(KilledError):
        killed.fit(say=die)
    again = averaged(tmp_path)
    assert again.fit().scores == expected.scores and again.said[0].startswith("taken up")
    assert equal(again.weights(), whole.weights())


@pytest.mark.parametrize("decay", [0, 1, 1.5, -0.1, True, "much", float("nan")])
def test_a_decay_that_cannot_be_meant_is_refused(decay: object) -> None:
    with pytest.raises(LeanformerError, match="averaging is a decay above 0 and below 1"):
        Averaging(decay)  # type: ignore[arg-type]
