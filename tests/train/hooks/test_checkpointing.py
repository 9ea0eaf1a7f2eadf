"""Gradient checkpointing: the same gradients, dropout included, and less that is kept for the backward pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.models.classifier import Classifier
from leanformer.shapes.encoder import LayerShape
from leanformer.train.adapters.kinds import adapter
from leanformer.train.hooks.checkpointing import Checkpointing
from leanformer.train.hooks.hook import Run as RunOfHooks
from tests.making.family_models import family_classifier
from tests.making.tiny import tiny_classifier, tiny_config
from tests.making.trainings import SETTINGS, Run, equal

IDS = torch.arange(5, 45).reshape(2, 20)


def step(model: Classifier) -> tuple[dict[str, Tensor], int]:
    """The gradients of a step in training mode, and the bytes that are kept for its backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    torch.manual_seed(5)
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(IDS, torch.ones_like(IDS)).square().sum()
    at_the_end = sum(kept.values())
    loss.backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, at_the_end


@pytest.mark.parametrize("name", ["bert", "an adapter", "mpnet", "modernbert"])
def test_gradients_are_the_same_and_less_is_kept(name: str) -> None:
    config = tiny_config(layers=(LayerShape(4, 48),) * 6, dropout=0.2, attention_dropout=0.1)
    found = []
    for on in (False, True):
        model = family_classifier(name) if "m" in name else tiny_classifier(config)
        if name == "an adapter":
            torch.manual_seed(1)
            adapter("lora").attach(model)
        model.encoder.recomputes = on
        found.append(step(model))
    (plain, much), (again, little) = found
    assert plain.keys() == again.keys() and all(torch.allclose(plain[n], again[n], atol=1e-6) for n in plain)
    assert little < 0.5 * much


def test_a_fit_ends_with_the_same_weights_and_leaves_nothing_switched_on(tmp_path: Path) -> None:
    quick = replace(SETTINGS, epochs=1, checkpoint_seconds=1e9)
    runs = [Run(tmp_path / name, quick) for name in ("plain", "again")]
    hook, seen = Checkpointing(True), list[bool]()
    runs[1].hooks = [hook]
    before_step = hook.before_step
    hook.before_step = lambda run: (seen.append(runs[1].model.encoder.recomputes), before_step(run))[1]  # type: ignore[method-assign]
    for run in runs:
        run.fit()
    assert equal(runs[0].weights(), runs[1].weights())
    assert seen and all(seen) and not runs[1].model.encoder.recomputes


def test_other_values_and_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LeanformerError, match="checkpointing is true or left out, not 2"):
        Checkpointing(2)  # type: ignore[arg-type]
    run = Run(tmp_path)
    other = RunOfHooks(nn.Linear(2, 2), nn.ModuleDict(), run.settings, None, 1)  # type: ignore[arg-type]
    with pytest.raises(LeanformerError, match=r"this model has none\n  remedy: leave `checkpointing` out"):
        Checkpointing(True).begin(other)
