"""Nystromformer: landmarks are means of segments, and the inverse is the pseudo-inverse."""

from __future__ import annotations

import torch

from leanformer.models.attention.nystrom import nystrom, pseudo_inverse, segments
from tests.models.attention.mixing import dense, heads


def test_it_is_the_product_of_three_softmaxes():
    q, k, v, mask = heads(rows=1, length=12)
    few_q, few_k = (x.unflatten(2, (4, 3)).mean(dim=3) for x in (q, k))
    ones = torch.ones(1, 4, dtype=torch.bool)
    unit = torch.eye(4, dtype=torch.float64).expand(1, 2, 4, 4)
    left, middle = dense(q, few_k, unit, ones), dense(few_q, few_k, unit, ones)
    expected = left @ torch.linalg.pinv(middle) @ dense(few_q, k, v, mask)
    torch.testing.assert_close(nystrom(q, k, v, mask, landmarks=4, iterations=40), expected, atol=1e-6, rtol=0)


def test_segments_are_even_and_of_real_tokens():
    mask = torch.arange(8) < torch.tensor([8, 5, 2])[:, None]
    share, used = segments(mask, 3, torch.float64)
    assert (share[:, 0] > 0).sum(dim=2).tolist() == [[3, 3, 2], [2, 2, 1], [1, 1, 0]]
    assert used.tolist() == [[True, True, True], [True, True, True], [True, True, False]]
    torch.testing.assert_close(share[:, 0].sum(dim=2), used.double())


def test_the_iteration_inverts():
    matrix = torch.softmax(
        torch.randn(3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    torch.testing.assert_close(pseudo_inverse(matrix, 30) @ matrix, torch.eye(5, dtype=torch.float64).expand(3, 5, 5))
