"""Diff pruning: gates by their distribution, the largest changes are kept, and all of them are a free change."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.train.adapters.diff_pruning import DiffPruning, GatedDifference, gates, open_share
from tests.making.adapted import at_step, attached, logits, redrawn
from tests.making.tiny import tiny_classifier
from tests.making.trainings import Run


def both(share: float) -> tuple[Tensor, Tensor]:
    """Logits after the changes are fixed, and with all of them added to the weights."""
    ours, twin = DiffPruning(share), tiny_classifier()
    model = attached(ours)
    redrawn(ours, model)
    for layer, other in zip(model.encoder.layers, twin.encoder.layers, strict=True):
        for name in ("query", "value"):
            adapted = getattr(layer.attention, name)
            getattr(other.attention, name).weight.data += adapted.change.detach()
    ours.fix()
    return logits(model), logits(twin)


def at_limit() -> tuple[Tensor, Tensor]:
    """All changes are kept; the gates, near 5, are open."""
    return both(1.0)


def usual() -> tuple[Tensor, Tensor]:
    return both(0.05)


def test_gates_are_hard_and_open_as_often_as_they_say() -> None:
    torch.manual_seed(0)
    logits = torch.full((20_000,), 0.5)
    drawn = gates(logits, drawn=True)
    assert drawn.min() == 0 and drawn.max() == 1
    assert float((drawn > 0).float().mean()) == pytest.approx(float(open_share(logits)), abs=0.01)
    whole = float((drawn == 1).float().mean())  # the noise is divided by the temperature, 0.9
    assert whole == pytest.approx(1 / (1 + math.exp(0.9 * math.log(5) - 0.5)), abs=0.01)
    middle = torch.tensor([-9.0, math.log(2), 9.0])
    torch.testing.assert_close(gates(middle, drawn=False), torch.tensor([0.0, 0.5, 1.0]))


def test_gradients_reach_the_gates() -> None:
    adapted = GatedDifference(torch.nn.Linear(4, 4))
    adapted.change.data.normal_()
    adapted.logits.data.fill_(0.0)
    x = torch.randn(3, 4)
    z = gates(adapted.logits, drawn=False)
    torch.testing.assert_close(adapted.eval()(x), x @ (adapted.weight + z * adapted.change).T + adapted.bias)
    adapted.train()(x).sum().backward()
    assert adapted.logits.grad.any() and adapted.change.grad.any()  # type: ignore[union-attr]


def test_the_largest_changes_of_all_maps_are_kept() -> None:
    adapter = DiffPruning(0.25)
    model = attached(adapter)
    redrawn(adapter, model)
    changes = torch.cat([each.change.detach().flatten().clone() for each in adapter.differences])
    adapter.fix()
    kept = torch.cat([each.difference().detach().flatten() for each in adapter.differences])
    assert int((kept != 0).sum()) == round(0.25 * len(kept)) == 1024
    assert changes[kept != 0].abs().min() >= changes[kept == 0].abs().max()
    head = sum(parameter.numel() for parameter in model.head.parameters())
    assert adapter.trained_parameters(model) == 1024 + head and adapter.task_bytes(model) == 4 * (2048 + head)


def test_the_penalty_pulls_at_the_gates_until_they_are_fixed() -> None:
    adapter = DiffPruning(0.1, penalty=2.0, searched=0.5)
    model = attached(adapter)
    adapter.before_step(at_step(model, 0, 10))
    first, count = adapter.differences[0], 4 * 32 * 32
    share = 1 / (1 + math.exp(-5))
    assert first.logits.grad is not None and first.mask is None
    assert float(first.logits.grad[0, 0]) == pytest.approx(2 * share * (1 - share) / count, rel=1e-3)
    adapter.before_step(at_step(model, 5, 10))
    assert all(each.mask is not None for each in adapter.differences)
    again = DiffPruning(0.1)
    attached(again)
    again.load_state(adapter.state())
    assert torch.equal(again.differences[1].mask, adapter.differences[1].mask)  # type: ignore[arg-type]


def test_a_run_changes_so_many_weights(tmp_path: Path) -> None:
    run = Run(tmp_path)
    adapter = DiffPruning(0.1)
    run.adapter, run.hooks = adapter, [adapter]
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.fit()
    after = run.model.state_dict()
    changed = sum(int((after[name] != before[name]).sum()) for name in before if not name.startswith("head."))
    assert 0.09 * 4 * 32 * 32 < changed <= round(0.1 * 4 * 32 * 32)


def test_shares_are_checked() -> None:
    with pytest.raises(LeanformerError, match="shares 2 and"):
        DiffPruning(2)
