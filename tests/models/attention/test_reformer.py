"""Reformer attends within buckets, to itself only where there is nothing else, and has no key projection."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from leanformer.models.attention.kinds import attention
from leanformer.models.attention.reformer import buckets_of, reformer
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.patterns import Reformer
from tests.making.tiny import tiny_config
from tests.models.attention.mixing import heads, weights_of

OPTIONS = {"buckets": 4, "rounds": 1, "seed": 0}


def test_weights_are_within_buckets():
    q, _, _, mask = heads()
    weights = weights_of(reformer, q, q, mask, chunk=16, **OPTIONS)
    hashed = buckets_of(q, 4, 1, 0)[:, :, 0]
    together = (hashed[..., :, None] == hashed[..., None, :]) & mask[:, None, None, :] & mask[:, None, :, None]
    itself = torch.eye(11, dtype=torch.bool)
    others = together & ~itself
    scores = torch.exp(q @ F.normalize(q, dim=-1).mT) * torch.where(others.any(-1, keepdim=True), others, together)
    expected = scores / scores.sum(-1, keepdim=True).clamp_min(1e-30)
    real = mask[:, None, :, None]
    torch.testing.assert_close(weights * real, expected * real, atol=1e-9, rtol=0)
    assert 4 > hashed.unique().numel() / 2 > 1, "there are several buckets"


def test_a_chunk_sees_itself_and_the_one_before():
    q, *_ = heads(rows=1)
    weights = weights_of(reformer, q, q, torch.ones(1, 11, dtype=torch.bool), chunk=3, buckets=1, rounds=1, seed=0)
    chunk = torch.arange(11) // 3
    seen = (chunk[:, None] - chunk[None, :] <= 1) & (chunk[:, None] >= chunk[None, :])
    assert ((weights > 0) == (seen & ~torch.eye(11, dtype=torch.bool))).all()


def test_rounds_are_weighted():
    q, _, v, mask = heads()
    both = reformer(q, q, v, mask, chunk=16, **{**OPTIONS, "rounds": 2})
    alone = reformer(q, q, v, mask, chunk=16, **OPTIONS)
    assert not torch.allclose(both[0], alone[0])


def test_it_has_no_key_projection():
    layer = LayerShape(4, 48, attention=Reformer())
    names = {name.split(".")[0] for name, _ in attention(tiny_config(layers=(layer,)), layer).named_parameters()}
    assert names == {"query", "value", "output"}
