"""FISH mask: the largest Fisher information is trained; all of it is full fine-tuning."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.atlas.finetuned import fine_tune, toy_start
from leanformer.errors import LeanformerError
from leanformer.train.adapters.fish_mask import FishMask, fisher, largest
from tests.making.adapted import at_step

START = toy_start(3)


def both(share: float) -> tuple[Tensor, Tensor]:
    """Logits of a model after three steps, and after three of full fine-tuning."""
    found = []
    for adapter in (FishMask(START.train, share), None):
        model = START.make(1)
        fine_tune(model, START, rate=1e-3, steps=3, seed=1, adapter=adapter)
        found.append(model(torch.full((2, 9), 4), torch.ones(2, 9, dtype=torch.bool)).detach())
    return found[0], found[1]


def at_limit() -> tuple[Tensor, Tensor]:
    """All parameters are kept."""
    return both(1.0)


def usual() -> tuple[Tensor, Tensor]:
    return both(0.01)


def test_information_is_the_mean_squared_gradient_of_rows() -> None:
    model = START.make(1)
    found = fisher(model, START.train, 2)
    assert model.training and not any(name.startswith("head.") for name in found)
    expected = torch.zeros(32)
    model.eval()
    for row in range(2):
        model.zero_grad()
        ids = torch.from_numpy(START.train.rows[row])[None].long()
        loss = torch.nn.functional.cross_entropy(
            model(ids, torch.ones_like(ids)), torch.tensor([START.train.labels[row]])
        )
        loss.backward()
        expected += model.encoder.layers[0].ffn_norm.weight.grad.square() / 2
    torch.testing.assert_close(found["encoder.layers.0.ffn_norm.weight"], expected)


def test_the_largest_of_all_parts_together() -> None:
    masks = largest({"a": torch.tensor([[1.0, 5.0], [2.0, 0.0]]), "b": torch.tensor([4.0, 3.0])}, 0.5)
    assert masks["a"].tolist() == [[False, True], [False, False]] and masks["b"].tolist() == [True, True]


def test_nothing_else_moves_not_even_by_weight_decay() -> None:
    model, adapter = START.make(1), FishMask(START.train, 0.01)
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    fine_tune(model, START, rate=1e-2, steps=3, seed=1, adapter=adapter, hooks=[adapter])
    for name, mask in adapter.masks.items():
        moved = model.get_parameter(name) != start[name]
        assert not (moved & ~mask).any()
    assert sum(int(mask.sum()) for mask in adapter.masks.values()) == round(0.01 * sum(
        mask.numel() for mask in adapter.masks.values()
    ))  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 0.9
    adapter.after_step(at_step(model, 1, weight_decay=0.1))
    name = "encoder.layers.0.ffn_norm.weight"
    assert torch.equal(model.get_parameter(name)[~adapter.masks[name]], start[name][~adapter.masks[name]])


def test_gradients_are_whole_again_at_the_end() -> None:
    model, adapter = START.make(1), FishMask(START.train, 0.001)
    adapter.attach(model)
    kept = sum(int(mask.sum()) for mask in adapter.masks.values())
    head = sum(parameter.numel() for parameter in model.head.parameters())
    assert adapter.trained_parameters(model) == kept + head and adapter.task_bytes(model) == 4 * (2 * kept + head)
    adapter.merge(model)
    ids = torch.full((1, 5), 4)
    model(ids, torch.ones_like(ids)).square().sum().backward()
    assert all(parameter.grad.any() for name, parameter in model.named_parameters() if "ffn.up" in name)


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(LeanformerError, match="share is above 0"):
        FishMask(START.train, 0.0)
