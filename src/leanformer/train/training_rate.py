"""How fast this machine trains: operations per second of real optimiser steps."""

from __future__ import annotations

import time
from dataclasses import dataclass

from leanformer.scaling import TRAINING_FLOPS

_LAYERS, _WIDTH, _TEXTS, _TOKENS = 2, 768, 16, 64
_WARM = 2


@dataclass(frozen=True)
class TrainingRate:
    """Operations per second, counted as 6 per parameter and token, and how that is known."""

    flops_per_second: float
    method: str


def measure_training(*, threads: int, seconds: float = 3.0) -> TrainingRate:
    """The best step of a small encoder with AdamW, as other programs disturb it least. Needs torch.

    In the precision that training would choose.
    """
    import torch
    from torch import nn

    from leanformer.train.precision import autocast, resolve

    torch.set_num_threads(threads)
    device = torch.device("cpu")
    precision = resolve("auto", device)
    layer = nn.TransformerEncoderLayer(_WIDTH, _WIDTH // 64, 4 * _WIDTH, batch_first=True, activation="gelu")
    encoder = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False).train()
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=1e-5, foreach=False)
    vectors = torch.randn(_TEXTS, _TOKENS, _WIDTH, generator=torch.Generator().manual_seed(0))
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    spent: list[float] = []
    end = time.perf_counter() + seconds
    while len(spent) <= _WARM or time.perf_counter() < end:
        start = time.perf_counter()
        with autocast(precision, device):
            loss = encoder(vectors).square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        spent.append(time.perf_counter() - start)
    rate = TRAINING_FLOPS * parameters * _TEXTS * _TOKENS / min(spent[_WARM:])
    return TrainingRate(
        rate,
        f"the best of AdamW's steps with {_LAYERS} layers of {_WIDTH} on {_TEXTS} texts of {_TOKENS} tokens, "
        f"{precision}, {threads} threads",
    )
