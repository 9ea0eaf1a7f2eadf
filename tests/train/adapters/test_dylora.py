"""DyLoRA: every rank is a LoRA; with one rank it is LoRA."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.train.adapters.dylora import DyLora, NestedLinear
from leanformer.train.adapters.lora import Lora
from tests.making.adapted import at_step, attached, logits, redrawn
from tests.making.tiny import roughen


def both(smallest: int) -> tuple[Tensor, Tensor]:
    """Logits in a step, of the smallest rank drawn in ten, and with LoRA of the same parameters."""
    ours, theirs = DyLora(4, 8.0, smallest=smallest), Lora(4, 8.0, ("query", "value"))
    model, twin = attached(ours), attached(theirs)
    for adapter, each in ((ours, model), (theirs, twin)):
        redrawn(adapter, each)
    found = {}
    for step in range(10):
        ours.before_step(at_step(model, step))
        adapted = model.encoder.layers[0].attention.query
        found[adapted.rank] = logits(model)
    return found[min(found)], logits(twin)


def at_limit() -> tuple[Tensor, Tensor]:
    """Only the whole rank is drawn."""
    return both(4)


def usual() -> tuple[Tensor, Tensor]:
    return both(1)


def test_ranks_are_drawn_and_the_step_decides() -> None:
    adapter = DyLora(4)
    model = attached(adapter)
    ranks = []
    for step in (*range(30), *range(30)):
        adapter.before_step(at_step(model, step))
        ranks.append(model.encoder.layers[1].attention.value.rank)
    assert set(ranks) == {1, 2, 3, 4} and ranks[:30] == ranks[30:]
    adapter.before_score(at_step(model, 30))
    assert model.encoder.layers[1].attention.value.rank == 4


@pytest.mark.parametrize("frozen", [False, True])
def test_a_step_changes_the_first_parts_or_the_last_of_them(frozen: bool) -> None:
    adapted = NestedLinear(nn.Linear(6, 5), 4, 8.0, frozen=frozen)
    roughen(adapted)
    adapted.rank = 3
    x = torch.randn(2, 6)
    expected = x @ (adapted.weight + 8 / 3 * adapted.lora_b[:, :3] @ adapted.lora_a[:3]).T + adapted.bias
    torch.testing.assert_close(adapted(x), expected)
    torch.testing.assert_close(adapted.merged()[0], adapted.weight + 8 / 3 * adapted.lora_b[:, :3] @ adapted.lora_a[:3])
    adapted(x).sum().backward()
    moved = [2] if frozen else [0, 1, 2]
    assert adapted.lora_a.grad.abs().sum(dim=1).nonzero().flatten().tolist() == moved  # type: ignore[union-attr]
    assert adapted.lora_b.grad.abs().sum(dim=0).nonzero().flatten().tolist() == moved  # type: ignore[union-attr]


def test_it_is_merged_at_a_rank() -> None:
    found = {}
    for merged_rank in (2, 4):
        adapter = DyLora(4, merged_rank=merged_rank)
        model = attached(adapter)
        redrawn(adapter, model)
        adapter.cut(2)
        at_two = logits(model)
        adapter.merge(model)
        found[merged_rank] = (logits(model) - at_two).abs().max()
    assert found[2] < 1e-5 and found[4] > 1e-3


def test_ranks_out_of_order_are_refused() -> None:
    with pytest.raises(LeanformerError, match="ranks 3, 2, 4"):
        DyLora(4, smallest=3, merged_rank=2)
