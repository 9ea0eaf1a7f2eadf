"""AdaMix: experts are drawn in training and averaged afterwards; one expert is Pfeiffer's adapter."""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.train.adapters.adamix import AdaMix, Consistent, Experts
from leanformer.train.adapters.bottleneck import Bottleneck
from leanformer.train.adapters.pfeiffer import Pfeiffer
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.objective import LabelLoss, Supervised
from tests.making.adapted import IDS, MASK, attached, logits, redrawn


def both(experts: int) -> tuple[Tensor, Tensor]:
    """Logits after the fit, and with Pfeiffer's adapters of the first expert's weights."""
    ours, theirs = AdaMix(8, experts), Pfeiffer(8)
    model, twin = attached(ours), attached(theirs)
    redrawn(ours, model)
    for norm, other in zip(ours.norms, theirs.norms, strict=True):
        other.adapter.down.load_state_dict(norm.adapter.downs[0].state_dict())
        other.adapter.up.load_state_dict(norm.adapter.ups[0].state_dict())
    ours.merge(model)
    return logits(model), logits(twin)


def at_limit() -> tuple[Tensor, Tensor]:
    """One expert."""
    return both(1)


def usual() -> tuple[Tensor, Tensor]:
    return both(3)


def test_parts_are_drawn_apart_from_one_another() -> None:
    experts = Experts(4, 2, 2)
    for number in range(2):
        experts.downs[number].weight.data.fill_(1.0 + number)
        experts.ups[number].weight.data.fill_(10.0**number)
    x = torch.ones(1, 4)
    torch.manual_seed(0)
    found = {float(experts.train()(x)[0, 0].detach()) for _ in range(40)}
    assert found == {8.0, 16.0, 80.0, 160.0}
    assert float(experts.eval()(x)[0, 0].detach()) == 2 * 6 * 5.5


def test_merged_is_the_mean_of_weights() -> None:
    adapter = AdaMix(8, 3)
    model = attached(adapter)
    redrawn(adapter, model)
    before, bytes_ = logits(model), adapter.task_bytes(model)
    adapter.merge(model)
    torch.testing.assert_close(logits(model), before)
    own = sum(p.numel() for norm in adapter.norms for p in norm.adapter.parameters())
    assert all(isinstance(norm.adapter, Bottleneck) for norm in adapter.norms)
    assert bytes_ == 4 * (own + sum(p.numel() for p in model.head.parameters()))


def test_the_loss_has_half_of_both_divergences() -> None:
    batch = Batch(IDS, MASK, torch.tensor([0, 2, 1]), torch.arange(3).numpy(), 1.0)
    one, other = torch.randn(3, 3), torch.randn(3, 3)
    answers = iter([one, other])
    objective = AdaMix(8).around(Supervised(LabelLoss("label")))
    assert isinstance(objective, Consistent)
    loss = objective(lambda *inputs: next(answers), batch)
    p, q = one.softmax(-1), other.softmax(-1)
    both_ways = (p * (p / q).log()).sum(-1) + (q * (q / p).log()).sum(-1)
    expected = torch.nn.functional.cross_entropy(one, batch.labels) + both_ways.mean() / 2
    torch.testing.assert_close(loss, expected)
