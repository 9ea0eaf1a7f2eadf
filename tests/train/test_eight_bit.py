"""AdamW with moments of eight bits: the map, the rounding, how close it stays to AdamW, and its state on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from leanformer.train.eight_bit import BLOCK, LEAST, AdamW8bit, dynamic_map, quantised, restored, state_bytes


@pytest.mark.parametrize("signed", [True, False])
def test_the_map_is_that_of_the_paper(signed: bool) -> None:
    values = dynamic_map(signed)
    assert len(values) == 256 and values[-1] == 1 and (values.diff() > 0).all() and (values == 0).sum() == 1
    above = values[values > 0][:-1].double()
    counts = [int(((above >= low) & (above < 10 * low)).sum()) for low in 10.0 ** torch.arange(-7, 0)]
    assert counts == [2**i * (1 if signed else 2) for i in range(7)], "twice as many values in each decade"
    # The middles of the parts of [0.1, 1], as in the authors' library.
    expected = [5.5e-7, 3.25e-6] if signed else [3.25e-7, 7.75e-7]
    assert above[:2].tolist() == pytest.approx(expected, rel=1e-6)
    assert float(values[-2]) == pytest.approx(1 - 0.45 / (64 if signed else 128), rel=1e-6)
    assert not signed or torch.equal(-values[:127].flip(0), values[128:-1])


@pytest.mark.parametrize("signed", [True, False])
def test_an_entry_takes_the_nearest_value_of_its_block(signed: bool) -> None:
    torch.manual_seed(0)
    entries = torch.randn(5 * BLOCK + 77) * torch.exp(3 * torch.randn(5 * BLOCK + 77))
    entries = entries if signed else entries.square()
    codes, scales = quantised(entries, signed)
    assert codes.dtype == torch.uint8 and codes.shape == entries.shape and scales.shape == (6,)
    back = restored(codes, scales, signed)
    for start in range(0, len(entries), BLOCK):
        own = entries[start : start + BLOCK]
        assert float(scales[start // BLOCK]) == float(own.abs().max())
        shares = own / own.abs().max()
        distance = (shares[:, None] - dynamic_map(signed)).abs().amin(dim=1)
        found = (shares - back[start : start + BLOCK] / own.abs().max()).abs()
        assert (found <= distance + 2e-3 * shares.abs() + 4e-7).all()


def test_no_second_moment_is_rounded_to_zero() -> None:
    entries = torch.tensor([1.0, 1e-12, 0.0])
    assert (restored(*quantised(entries, False), False) > 0).tolist() == [True, True, False]
    assert restored(*quantised(entries, True), True)[1] == 0, "a first moment may be"
    assert not restored(*quantised(torch.zeros(3), True), True).any()


def trained(make: Any, steps: int = 60, width: int = 128) -> Tensor:
    """The weights of a small regression after so many steps, with noisy gradients."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(64, width), nn.Tanh(), nn.Linear(width, 64))
    optimizer, target = make(net.parameters()), torch.randn(64, 64) / 8
    for _ in range(steps):
        rows = torch.randn(32, 64)
        (net(rows) - rows @ target).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.1)


def eight_bits(parameters: Any) -> torch.optim.Optimizer:
    return AdamW8bit(parameters, lr=2e-3, weight_decay=0.1)


def test_it_stays_close_to_adamw() -> None:
    start, plain, rounded = trained(adamw, 0), trained(adamw), trained(eight_bits)
    way = (plain - start).norm()
    assert 0 < (rounded - plain).norm() < 0.05 * way, "5 % of the way that the weights went"


def test_parameters_with_few_entries_move_as_with_adamw() -> None:
    assert LEAST > 64 * 60
    assert torch.allclose(trained(adamw, width=60), trained(eight_bits, width=60), atol=1e-6)


def test_a_state_from_disk_continues_to_the_same_bytes(tmp_path: Path) -> None:
    torch.manual_seed(2)
    gradients = torch.randn(6, 300, 20)
    weights = [nn.Parameter(torch.ones(300, 20)) for _ in range(2)]
    optimizers = [AdamW8bit([weight], lr=1e-3) for weight in weights]

    def step(number: int, at: int) -> None:
        weights[number].grad = gradients[at].clone()
        optimizers[number].step()

    for at in range(6):
        step(0, at)
    for at in range(3):
        step(1, at)
    state = optimizers[1].state_dict()
    save_file(state["state"][0], tmp_path / "state.safetensors")
    optimizers[1] = AdamW8bit([weights[1]], lr=5.0)
    optimizers[1].load_state_dict({**state, "state": {0: load_file(tmp_path / "state.safetensors")}})
    assert optimizers[1].state[weights[1]]["exp_avg"].dtype == torch.uint8
    for at in range(3, 6):
        step(1, at)
    assert torch.equal(*weights)


def test_the_bytes_of_the_states_are_counted() -> None:
    parameters = [nn.Parameter(torch.randn(300, 20)), nn.Parameter(torch.randn(100))]
    optimizer = AdamW8bit(parameters, lr=1e-3)
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    held = sum(
        value.numel() * value.element_size()
        for state in optimizer.state.values()
        for name, value in state.items()
        if name != "step"
    )
    assert state_bytes(parameters) == held
    assert held < 0.27 * 8 * 6000 + 8 * 100, "about a quarter of fp32, and few entries whole"


def test_a_gradient_that_is_infinite_gives_nan_as_with_adamw_and_no_error_of_an_index():
    weights = torch.nn.Parameter(torch.ones(LEAST))
    weights.grad = torch.full((LEAST,), float("inf"))
    AdamW8bit([weights], lr=1e-3).step()
    assert weights.isnan().all()
