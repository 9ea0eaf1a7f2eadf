"""Adam beside the run's own optimiser, with a rate that follows its schedule, also after a restart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from leanformer.train.hooks.apart import Apart


def run_at(rate: float) -> SimpleNamespace:
    return SimpleNamespace(
        optimizer=SimpleNamespace(param_groups=[{"lr": rate}]), settings=SimpleNamespace(learning_rate=0.1)
    )


def stepped(apart: Apart, tensor: torch.Tensor, times: int) -> None:
    for _ in range(times):
        (tensor * torch.tensor([1.0, -20.0])).sum().backward()
        apart.step(run_at(0.05))  # type: ignore[arg-type]


def test_each_step_is_the_scheduled_rate_whatever_the_gradient():
    apart = Apart(0.5)
    tensor = apart.add(torch.zeros(2))
    stepped(apart, tensor, 1)
    assert tensor.tolist() == pytest.approx([-0.25, 0.25], abs=1e-4)
    assert tensor.grad is None, "a gradient counts once"


def test_a_restored_one_goes_on_where_it_was():
    whole, first, second = Apart(0.5), Apart(0.5), Apart(0.5)
    tensors = [apart.add(torch.tensor([1.0, 2.0])) for apart in (whole, first, second)]
    stepped(whole, tensors[0], 5)
    stepped(first, tensors[1], 3)
    second.load_state(first.state())
    stepped(second, tensors[2], 2)
    assert torch.equal(tensors[0], tensors[2]) and not torch.equal(tensors[0], tensors[1])
