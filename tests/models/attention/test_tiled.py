"""Tiles give softmax attention and its gradients, and never hold the scores of all pairs."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from leanformer.models.attention.tiled import tiled
from tests.models.attention.mixing import dense, heads, same


class Largest(TorchDispatchMode):
    """The number of entries of the largest tensor that is made."""

    found = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            if isinstance(value, torch.Tensor):
                self.found = max(self.found, value.numel())
        return result


@pytest.mark.parametrize("tile", [3, 64])
def test_it_is_softmax_attention_with_its_gradients(tile: int):
    q, k, v, mask = heads()
    q.requires_grad_()
    found, expected = tiled(q, k, v, mask, tile=tile), dense(q, k, v, mask)
    same(found, expected, mask)
    ours, theirs = (
        torch.autograd.grad(each[mask[:, None].expand(2, 2, -1)].pow(2).sum(), q)[0] for each in (found, expected)
    )
    torch.testing.assert_close(ours, theirs)


def test_the_scores_of_all_pairs_are_never_there():
    q, k, v, mask = heads(length=64, rows=1)
    with Largest() as seen, torch.no_grad():
        tiled(q, k, v, mask, tile=8)
    assert q.numel() <= seen.found < 2 * 64 * 64
