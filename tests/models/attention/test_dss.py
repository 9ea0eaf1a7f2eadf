"""Diagonal state spaces are their recurrence, discretised by zero-order hold."""

from __future__ import annotations

import torch

from leanformer.models.attention.dss import dss


def arguments(seed: int = 0) -> dict[str, torch.Tensor]:
    """Small state spaces of two heads with three channels."""
    generator = torch.Generator().manual_seed(seed)
    real = torch.randn(4, 4, dtype=torch.float64, generator=generator)
    return {
        "diagonal": torch.complex(-real[0].exp(), 3 * real[1]),
        "readout": torch.randn(2, 3, 2, 4, dtype=torch.complex128, generator=generator),
        "step": torch.rand(2, 3, dtype=torch.float64, generator=generator) * 0.5 + 0.1,
        "skip": torch.randn(2, 3, dtype=torch.float64, generator=generator),
    }


def recurrence(value: torch.Tensor, diagonal, readout, step, skip) -> torch.Tensor:  # type: ignore[no-untyped-def]
    """The same, step by step, for one text `[heads, S, D]`."""
    once = (diagonal * step[..., None]).exp()
    into = (once - 1) / diagonal
    expected = skip[:, None, :] * value
    for way, order in ((0, range(value.shape[1])), (1, range(value.shape[1] - 1, -1, -1))):
        state = torch.zeros_like(once)
        for t in order:
            state = once * state + into * value[:, t, :, None]
            expected[:, t] += (readout[:, :, way] * state).sum(dim=-1).real
    return expected


def test_it_is_the_recurrence():
    value = torch.randn(1, 2, 9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = dss(value, torch.ones(1, 9, dtype=torch.bool), **arguments())
    torch.testing.assert_close(found[0], recurrence(value[0], **arguments()))
