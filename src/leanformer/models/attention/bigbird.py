"""BigBird attention (Zaheer et al. 2020, arXiv 2007.14062): blocks see their neighbours, the first and random ones.

The first block is global: it sees all tokens and is seen by all. The random blocks are a fixed function of their
positions, so they do not depend on padding. As in the paper, the pattern is the same for all heads.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.mixer import in_chunks, masked_softmax


def bigbird(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, block: int, random_blocks: int, seed: int
) -> Tensor:
    """Attention of blocks of `block` tokens to the first block, the neighbours and `random_blocks` others.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    length, scale = query.shape[-2], query.shape[-1] ** -0.5
    queries, seen = in_chunks(query * scale, block), in_chunks(mask, block, -1)
    table, used = seen_blocks(seen.any(dim=-1), random_blocks, seed)
    row = torch.arange(len(mask), device=mask.device)[:, None, None]
    # [B, C, seen, heads, block, D] -> [B, heads, C, seen * block, D]
    keys, values = (
        in_chunks(x, block).transpose(1, 2)[row, table].permute(0, 3, 1, 2, 4, 5).flatten(3, 4) for x in (key, value)
    )
    allowed = (seen[row, table] & used[..., None]).flatten(2)[:, None, :, None, :]
    context = (masked_softmax(queries @ keys.mT, allowed) @ values).flatten(2, 3)[..., :length, :]
    whole = masked_softmax(query[..., :block, :] @ key.mT * scale, mask[:, None, None, :]) @ value
    return torch.cat((whole, context[..., block:, :]), dim=-2)


def seen_blocks(real: Tensor, random_blocks: int, seed: int) -> tuple[Tensor, Tensor]:
    """The blocks of keys that each block sees, and which of these entries count, `[B, C, 4 + random]` each.

    Args:
        real: `[B, C]`, whether a block has a real token.
    """
    count, device = real.shape[1], real.device
    place = torch.arange(count, device=device)
    near = place[:, None] + torch.tensor([-1, 0, 1], device=device)
    fixed = torch.cat((torch.zeros_like(place)[:, None], near.clamp(0, count - 1)), dim=1)
    # A block near the first one has it, or itself, among its neighbours already.
    once = torch.cat((place[:, None] > 1, (near >= 0) & (near < count)), dim=1)
    draw = (torch.sin(place[:, None].double() * 12.9898 + place[None, :].double() * 78.233 + seed) * 43758.5453) % 1
    new = ((place[:, None] - place[None, :]).abs() > 1) & (place > 0)[None, :]
    chance = torch.where(new & real[:, None, :], draw, -1.0)
    best = chance.topk(min(random_blocks, count), dim=-1)
    rows = (len(real), -1, -1)
    return (
        torch.cat((fixed.expand(rows), best.indices), dim=-1),
        torch.cat((once.expand(rows), best.values >= 0), dim=-1),
    )
