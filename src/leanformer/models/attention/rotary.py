"""Rotary positions (Su et al. 2021): queries and keys are rotated by angles that grow with the position."""

from __future__ import annotations

import torch
from torch import Tensor


def rotary_tables(base: float, size: int, length: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Cosine and sine `[length, size / 2]` of the angles by which pairs of head entries are rotated."""
    frequencies = base ** -(torch.arange(0, size, 2, dtype=torch.float32, device=device) / size)
    angles = torch.arange(length, dtype=torch.float32, device=device)[:, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x: Tensor, base: float) -> Tensor:
    """Rotate entries d and d + D/2 of every head `[B, heads, S, D]` by an angle that grows with the position."""
    cos, sin = rotary_tables(base, x.shape[-1], x.shape[-2], x.device)
    left, right = x.float().chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1).to(x.dtype)
