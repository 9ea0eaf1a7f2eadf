"""(IA)3: factors of outputs, bias included, and of the inputs of the last map of the block."""

from __future__ import annotations

import torch
from torch import nn

from leanformer.train.adapters.ia3 import Ia3
from tests.making.tiny import roughen


def test_outputs_are_scaled_with_their_bias_and_inputs_of_down_before_it() -> None:
    linear, x, ia3 = nn.Linear(4, 4), torch.randn(3, 4), Ia3(("key", "down"))
    for name, expected in (("key", lambda f: linear(x) * f), ("ffn.down", lambda f: linear(x * f))):
        wrapped = ia3.wrap(name, linear)
        assert torch.equal(wrapped(x), linear(x))
        roughen(wrapped)
        assert torch.allclose(wrapped(x), expected(wrapped.factors), atol=1e-6)
        weight, bias = wrapped.merged()
        assert torch.allclose(x @ weight.T + bias, wrapped(x), atol=1e-6)
