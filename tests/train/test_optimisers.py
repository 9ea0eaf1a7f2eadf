"""The optimisers: decay on matrices alone, own rates of groups, and moments of eight bits on request."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from leanformer.errors import LeanformerError
from leanformer.train.eight_bit import AdamW8bit
from leanformer.train.optimisers import EightBitStates, Group, adamw
from leanformer.train.settings import FitSettings

SETTINGS = FitSettings(learning_rate=1e-3, weight_decay=0.3)


@pytest.mark.parametrize("make", [adamw, EightBitStates(True)])
def test_matrices_decay_vectors_and_groups_with_a_rate_do_not(make: object) -> None:
    layer, own, frozen = nn.Linear(3, 2), nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2), False)
    optimizer = make([Group([*layer.parameters(), frozen]), Group([own], 5e-3)], SETTINGS)  # type: ignore[operator]
    assert isinstance(optimizer, AdamW8bit) == (make is not adamw)
    groups = [(g["params"], g["weight_decay"], g.get("times", 1.0)) for g in optimizer.param_groups]
    assert [(len(ps), decay, times) for ps, decay, times in groups] == [(1, 0.3, 1.0), (1, 0.0, 1.0), (1, 0.0, 5.0)]
    assert groups[0][0][0] is layer.weight and groups[1][0][0] is layer.bias and groups[2][0][0] is own


def test_another_value_is_refused() -> None:
    with pytest.raises(LeanformerError, match="eight_bit_states is true or left out, not 8"):
        EightBitStates(8)  # type: ignore[arg-type]
