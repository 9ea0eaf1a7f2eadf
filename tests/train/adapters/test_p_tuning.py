"""P-tuning: its vectors are made by a network in training, and kept without it."""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.train.adapters.p_tuning import PTuning, Reparametrised
from leanformer.train.adapters.soft_prompt import SoftPrompt
from tests.making.adapted import attached, logits, parameters, redrawn


def both(length: int, other: int) -> tuple[Tensor, Tensor]:
    """Logits after the fit, and with a soft prompt of the first `other` vectors that the network makes."""
    ours, theirs = PTuning(length), SoftPrompt(other)
    model, twin = attached(ours), attached(theirs)
    redrawn(ours, model)
    made = model.encoder.inner.embeddings.prompt
    assert isinstance(made, Reparametrised)
    hidden = made.lstm(made.start)[0] @ made.maps[0].weight.T + made.maps[0].bias
    vectors = hidden.clamp(min=0) @ made.maps[2].weight.T + made.maps[2].bias
    theirs.groups(twin)[0].parameters[0].data = vectors[:other].detach()
    ours.merge(model)
    return logits(model), logits(twin)


def at_limit() -> tuple[Tensor, Tensor]:
    """The soft prompt of its vectors."""
    return both(4, 4)


def usual() -> tuple[Tensor, Tensor]:
    return both(4, 3)


def test_what_made_the_vectors_is_dropped() -> None:
    adapter = PTuning(4)
    model = attached(adapter)
    adapter.task_bytes(model)
    before, size = logits(model), sum(p.numel() for p in model.parameters())
    adapter.merge(model)
    assert torch.allclose(logits(model), before, atol=1e-6)
    network = 2 * (4 * 16 * (32 + 16) + 2 * 4 * 16) + 2 * (32 * 32 + 32)
    assert size - sum(p.numel() for p in model.parameters()) == network
    head = sum(p.numel() for p in model.head.parameters())
    assert adapter.task_bytes(model) == 4 * (4 * 32 + head)
    assert parameters(PTuning(4)) == network + 4 * 32
