"""LayerDrop: which layers are left out of a step, that they are back afterwards; a killed run draws the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from leanformer.errors import LeanformerError
from leanformer.models.surgery import keep_layers
from leanformer.train.hooks import hook as hooks
from leanformer.train.hooks.layer_drop import LayerDrop
from tests.making.tiny import tiny_classifier
from tests.making.trainings import SETTINGS, KilledError, Run, equal

IDS = torch.randint(1, 60, (3, 7), generator=torch.Generator().manual_seed(2))


def left_out(model: torch.nn.Module) -> list[bool]:
    return ["forward" in vars(layer) for layer in model.encoder.layers]  # type: ignore[union-attr, arg-type]


class Watch(hooks.Hook):
    name = "watch"

    def __init__(self) -> None:
        self.steps: list[list[bool]] = []

    def before_step(self, run: hooks.Run) -> None:
        self.steps.append(left_out(run.model))


@torch.no_grad()
def test_a_layer_that_is_left_out_passes_its_input_on():
    model = tiny_classifier()
    whole = model(IDS, torch.ones_like(IDS))
    drop = LayerDrop(0.5)
    run = hooks.Run(model, torch.nn.ModuleDict(), SETTINGS, hooks.Progress(""), 30)
    drop.begin(run)
    for step in range(30):
        run.progress.step = step
        drop.before_step(run)
        if left_out(model) == [True, False]:
            break
    assert torch.equal(model(IDS, torch.ones_like(IDS)), keep_layers(tiny_classifier(), [1])(IDS, torch.ones_like(IDS)))
    with pytest.raises(LeanformerError, match=r"no attention to compare\n  remedy: attention_weight: 0"):
        model.outputs(IDS, torch.ones_like(IDS), with_attentions=True)
    drop.after_step(run)
    assert torch.equal(model(IDS, torch.ones_like(IDS)), whole)


def test_about_the_share_is_left_out_and_none_of_a_score(tmp_path: Path):
    run, watch = Run(tmp_path), Watch()
    run.hooks = [LayerDrop(0.3), watch]
    run.fit(score=lambda: (run.score(), float(any(left_out(run.model))))[1])
    drawn = [out for step in watch.steps for out in step]
    assert 0.15 < sum(drawn) / len(drawn) < 0.45 and len(watch.steps) == 24
    assert not any(left_out(run.model)) and run.fit is not None


def test_a_killed_run_draws_the_same(tmp_path: Path):
    whole = Run(tmp_path / "whole")
    whole.hooks = [LayerDrop(0.3)]
    whole.fit()
    killed = Run(tmp_path / "killed")

    class Kill(hooks.Hook):
        name = "kill"

        def after_epoch(self, run: hooks.Run) -> None:
            if run.progress.epoch == 2:
                raise KilledError

    killed.hooks = [LayerDrop(0.3), Kill()]
    with pytest.raises(KilledError):
        killed.fit()
    again = Run(tmp_path / "killed")
    again.hooks = [LayerDrop(0.3)]
    again.fit()
    assert any("taken up" in line for line in again.said) and equal(again.weights(), whole.weights())


@pytest.mark.parametrize("probability", [0, 1, -0.1])
def test_another_probability_is_refused(probability: float):
    with pytest.raises(LeanformerError, match="layer_drop is a probability above 0 and below 1"):
        LayerDrop(probability)


def test_a_model_without_layers_is_refused():
    run = hooks.Run(torch.nn.Linear(2, 2), torch.nn.ModuleDict(), SETTINGS, hooks.Progress(""), 1)
    with pytest.raises(LeanformerError, match="no layers that can be left out"):
        LayerDrop(0.2).begin(run)
