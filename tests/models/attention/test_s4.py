"""S4 is its recurrence, with the HiPPO matrix."""

from __future__ import annotations

import torch

from leanformer.models.attention.s4 import discretised, hippo, impulse_response, s4


def test_the_matrix_is_hippos():
    a, b = hippo(3)
    three, five = 3**0.5, 5**0.5
    torch.testing.assert_close(a, torch.tensor([[-1, 0, 0], [-three, -2, 0], [-five, -three * five, -3]]).double())
    torch.testing.assert_close(b, torch.tensor([1, three, five]).double())


def test_it_is_the_recurrence():
    generator = torch.Generator().manual_seed(0)
    a, b = hippo(4)
    value = torch.randn(1, 2, 9, 3, dtype=torch.float64, generator=generator)
    c = torch.randn(2, 3, 2, 4, dtype=torch.float64, generator=generator)
    step = torch.rand(2, 3, dtype=torch.float64, generator=generator) * 0.5 + 0.1
    skip = torch.randn(2, 3, dtype=torch.float64, generator=generator)
    found = s4(value, torch.ones(1, 9, dtype=torch.bool), a=a, b=b, c=c, step=step, skip=skip)
    once, into = discretised(a, b, step)
    expected = skip[:, None, :] * value[0]
    for way, order in ((0, range(9)), (1, range(8, -1, -1))):
        state = torch.zeros(2, 3, 4, dtype=torch.float64)
        for t in order:
            state = (once @ state[..., None])[..., 0] + into[..., 0] * value[0, :, t, :, None]
            expected[:, t] += (c[:, :, way] * state).sum(dim=-1)
    torch.testing.assert_close(found[0], expected)


def test_the_bilinear_rule_follows_the_differential_equation():
    a, b = hippo(2)
    once, into = discretised(a, b, torch.tensor(1e-4, dtype=torch.float64))
    states = impulse_response(once, torch.linalg.matrix_exp(0 * a) @ into, 10_001)
    expected = torch.linalg.matrix_exp(a) @ b * 1e-4
    torch.testing.assert_close(states[:, -1], expected, rtol=1e-3, atol=0)
