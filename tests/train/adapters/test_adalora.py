"""AdaLoRA: triplets are kept by importance, and all of them are LoRA."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from leanformer.train.adapters.adalora import AdaLora, TripletLinear, budget
from leanformer.train.adapters.lora import Lora
from tests.making.adapted import attached, logits, redrawn
from tests.making.tiny import roughen
from tests.making.trainings import Run


def both(target: int) -> tuple[Tensor, Tensor]:
    """Logits after triplets were cut to the target, and with LoRA of all of them."""
    ours, theirs = AdaLora(4, target, 8.0, orthogonal=0.0), Lora(4, 8.0, ("query", "value"))
    model, twin = attached(ours), attached(theirs)
    redrawn(ours, model)
    for adapted, other in zip(ours.triplets, theirs._adapted.values(), strict=True):
        other.lora_a.data, other.lora_b.data = adapted.q.data.clone(), (adapted.p * adapted.l).data
        adapted.fresh = {name: parameter.abs().detach() for name, parameter in adapted.own.items()}
    ours.keep(len(ours.triplets) * target)
    return logits(model), logits(twin)


def at_limit() -> tuple[Tensor, Tensor]:
    """No triplet is cut, and no penalty."""
    return both(4)


def usual() -> tuple[Tensor, Tensor]:
    return both(2)


def test_the_budget_falls_along_a_cubic_curve() -> None:
    assert [budget(step, 100, 12, 8) for step in (0, 10, 60, 100)] == [12, 12, 8, 8]
    assert budget(35, 100, 12, 8) == pytest.approx(8 + 4 / 8)


def test_importance_is_a_product_of_averages() -> None:
    adapted = TripletLinear(torch.nn.Linear(3, 2), 2, 1.0)
    roughen(adapted)
    adapted(torch.randn(4, 3)).sum().backward()
    now = {name: (p * p.grad).abs().detach() for name, p in adapted.own.items()}  # type: ignore[operator]
    parts = {name: 0.15 * each * 0.15 * (each - 0.15 * each) for name, each in now.items()}
    expected = parts["l"] + parts["p"].mean(dim=0) + parts["q"].mean(dim=1)
    torch.testing.assert_close(adapted.importance(), expected)
    mean, spread = adapted.seen["l"]
    adapted.importance()
    torch.testing.assert_close(adapted.seen["l"][0], 0.85 * mean + 0.15 * now["l"])
    torch.testing.assert_close(adapted.seen["l"][1], 0.85 * spread + 0.15 * (now["l"] - adapted.seen["l"][0]).abs())


def test_the_most_important_triplets_of_all_maps_are_kept() -> None:
    adapter = AdaLora(4, 2)
    attached(adapter)
    for number, adapted in enumerate(adapter.triplets):
        adapted.fresh = {name: torch.zeros_like(parameter) for name, parameter in adapted.own.items()}
        adapted.fresh["l"] = torch.arange(4.0) + number
        adapted.fresh["q"][:, 0] = 32 * number * torch.tensor([1.0, 0, 0, 0])  # the mean over the inputs
        adapted.l.data.fill_(1.0)
    adapter.keep(3)
    assert [adapted.l.tolist() for adapted in adapter.triplets[:2]] == [[0, 0, 0, 0]] * 2
    assert [adapted.l.tolist() for adapted in adapter.triplets[2:]] == [[1, 0, 0, 0], [1, 0, 0, 1]]


def test_the_penalty_is_nought_for_orthogonal_maps() -> None:
    adapted = TripletLinear(torch.nn.Linear(4, 4), 2, 1.0)
    adapted.p.data, adapted.q.data = torch.eye(4)[:, :2], torch.eye(4)[2:]
    assert adapted.penalty() == 0
    adapted.p.data *= 2
    assert adapted.penalty() == 2 * 9


def test_a_run_ends_with_the_target_and_nearer_to_orthogonal_maps(tmp_path: Path) -> None:
    away = {}
    for orthogonal in (0.0, 0.1):
        run = Run(tmp_path / str(orthogonal))
        adapter = AdaLora(4, 2, orthogonal=orthogonal)
        run.adapter, run.hooks = adapter, [adapter]
        run.fit()
        kept = sum(int((own["l"] != 0).sum()) for own in adapter.trained.values())
        assert kept == 2 * 4 < 4 * 4
        away[orthogonal] = sum(
            float((own["p"].T @ own["p"] - torch.eye(4)).square().sum()) for own in adapter.trained.values()
        )
    assert away[0.1] < away[0.0]


def test_bytes_are_those_of_the_target() -> None:
    adapter = AdaLora(4, 2)
    model = attached(adapter)
    head = sum(parameter.numel() for parameter in model.head.parameters())
    assert adapter.trained_parameters(model) == head + 4 * 4 * (32 + 32 + 1)
    assert adapter.task_bytes(model) == 4 * (head + 4 * 2 * (32 + 32 + 1))


def test_a_resumed_run_knows_its_averages() -> None:
    one, other = AdaLora(4, 2), AdaLora(4, 2)
    for adapter in (one, other):
        attached(adapter)
    for adapted in one.triplets:
        adapted.fresh = {name: parameter.abs().detach() for name, parameter in adapted.own.items()}
    one.keep(99)
    other.load_state(one.state())
    for left, right in zip(one.triplets, other.triplets, strict=True):
        assert torch.equal(left.seen["p"][1], right.seen["p"][1]) and set(right.seen) == {"p", "l", "q"}
