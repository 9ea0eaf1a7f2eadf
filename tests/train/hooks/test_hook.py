"""Hooks act when the loop says they do, and what they keep outlives a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from leanformer.train.hooks import hook as hooks
from leanformer.train.hooks.hook import Hook, HookState
from leanformer.train.loop import FitResult
from tests.making.trainings import KilledError, Run, equal

EVENTS = ("begin", "before_step", "after_step", "before_score", "after_score", "after_epoch", "end")


class Noted(Hook):
    """Notes each event, with where the run stands and whether there is an optimiser."""

    name = "noted"

    def __init__(self) -> None:
        self.events: list[tuple[str, int, int, bool]] = []

    def __getattribute__(self, name: str) -> Any:
        if name not in EVENTS:
            return super().__getattribute__(name)

        def note(run: hooks.Run) -> None:
            self.events.append((name, run.progress.epoch, run.progress.step, run.optimizer is not None))

        return note


class Noise(Hook):
    """Adds to the weights what it has counted: a run that lost its count would end with other bytes."""

    name = "noise"

    def __init__(self) -> None:
        self.count, self.sum = 0, torch.zeros(3)

    def after_step(self, run: hooks.Run) -> None:
        self.count += 1
        self.sum += torch.arange(3.0)
        bias = run.model.head.classifier.bias
        assert isinstance(bias, nn.Parameter)
        with torch.no_grad():
            bias += 1e-3 * self.count * self.sum

    def state(self) -> HookState:
        return HookState({"sum": self.sum}, {"count": self.count})

    def load_state(self, state: HookState) -> None:
        self.count, self.sum = state.values["count"], state.tensors["sum"].clone()


def test_events_come_in_the_order_of_the_loop(tmp_path: Path) -> None:
    run, noted = Run(tmp_path), Noted()
    run.hooks = [noted]
    run.fit()
    steps = [(name, step + (name == "after_step")) for step in range(8) for name in ("before_step", "after_step")]
    expected = [("begin", 0, 0, False)]
    for epoch in range(3):
        expected += [(name, epoch, step, True) for name, step in steps]
        expected += [("before_score", epoch, 8, True), ("after_score", epoch, 8, True)]
        expected += [("after_epoch", epoch + 1, 0, True)]
    assert noted.events == [*expected, ("end", 3, 0, True)]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, FitResult]:
    """A run with `Noise` that nobody interrupted."""
    run = Run(tmp_path_factory.mktemp("noisy"))
    run.hooks = [Noise()]
    return run, run.fit()


def test_a_hook_may_change_the_weights(noisy: tuple[Run, FitResult], tmp_path: Path) -> None:
    plain = Run(tmp_path)
    plain.fit()
    assert not equal(plain.weights(), noisy[0].weights())


@pytest.mark.slow
@pytest.mark.parametrize("line", [0, 7, 12])
def test_what_a_hook_keeps_outlives_a_kill(line: int, noisy: tuple[Run, FitResult], tmp_path: Path) -> None:
    whole, expected = noisy
    killed = Run(tmp_path)
    killed.hooks = [Noise()]

    def die(text: str) -> None:
        killed.said.append(text)
        if len(killed.said) > line:
            raise KilledError

    with pytest.raises(KilledError):
        killed.fit(say=die)
    assert {path.suffix for path in killed.folder.iterdir()} == {".safetensors", ".json"}
    again = Run(tmp_path)
    again.hooks = [Noise()]
    assert again.fit().scores == expected.scores
    assert again.said[0].startswith("taken up") and equal(again.weights(), whole.weights())


def test_a_checkpoint_of_other_hooks_is_not_taken_up(tmp_path: Path) -> None:
    Run(tmp_path).fit()
    other = Run(tmp_path)
    other.hooks = [Noise()]
    other.fit()
    assert "of an earlier version; this training begins again" in other.said[0]
    assert not any(line.startswith("taken up") for line in other.said)


def test_a_checkpoint_of_an_objective_with_other_parts_is_not_taken_up(tmp_path: Path) -> None:
    """As a run has left it that was killed under a version whose modules had other names."""
    Run(tmp_path).fit()
    other = Run(tmp_path)
    other.objective.renamed = nn.Parameter(torch.ones(3))
    other.fit()
    assert "of an earlier version; this training begins again" in other.said[0] and len(other.states) == 3
