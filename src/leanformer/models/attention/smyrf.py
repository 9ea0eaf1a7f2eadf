"""SMYRF attention (Daras et al. 2020, arXiv 2010.05315): balanced clusters of queries and keys by an asymmetric hash.

Queries and keys are lifted to one sphere, where near means a large product, and sorted by a random projection each. The
chunks of queries attend to the chunks of keys of the same rank; several rounds are weighed by their scores.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.mixer import in_chunks, over_rounds, taken


def smyrf(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, chunk: int, rounds: int, seed: int) -> Tensor:
    """Attention within balanced clusters of `chunk` queries and keys, over `rounds` hashes.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    length, size = query.shape[-2:]
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(size + 2, rounds, generator=generator).to(query)
    with torch.no_grad():
        # Padding comes last.
        orders = [
            (lifted @ direction).mT.masked_fill(~mask[:, None, None, :], torch.inf).argsort(dim=-1)
            for lifted in on_a_sphere(query, key, mask)
        ]
    q = in_chunks(taken(query[:, :, None] * size**-0.5, orders[0]), chunk)
    k, v = (in_chunks(taken(x[:, :, None], orders[1]), chunk) for x in (key, value))
    real = in_chunks(mask, chunk, -1)[:, None, None, :, None, :]  # the first ones, however they are sorted
    scores = (q @ k.mT).masked_fill(~real, torch.finfo(q.dtype).min)
    log = scores.logsumexp(dim=-1, keepdim=True)
    context = ((scores - log).exp() * real) @ v
    back = orders[0].argsort(dim=-1)
    context = taken(context.flatten(-3, -2)[..., :length, :], back)
    return over_rounds(context, log.flatten(-3)[..., :length].gather(-1, back))


def on_a_sphere(query: Tensor, key: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Queries and keys with two more entries, all of the same norm, and with the same products as before."""
    norms = [(x**2).sum(dim=-1, keepdim=True) * mask[:, None, :, None] for x in (query, key)]
    radius = sum(norm.amax(dim=-2, keepdim=True) for norm in norms)
    zero, rest = torch.zeros_like(norms[0]), [(radius - norm).clamp_min(0).sqrt() for norm in norms]
    return torch.cat((query, zero, rest[0]), dim=-1), torch.cat((key, rest[1], zero), dim=-1)
