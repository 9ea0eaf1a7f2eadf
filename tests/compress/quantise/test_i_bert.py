"""Functions on whole numbers beside those in floating point, with the errors that the paper states."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from leanformer.compress.quantise.i_bert import EXP, exponential, gelu, layer_norm, polynomial, root, softmax, whole

X = torch.linspace(-6, 6, 4001)


def test_all_results_are_whole_numbers():
    for function in (gelu, softmax):
        q, _ = function(*whole(X, 12))
        assert torch.equal(q, q.round())
    assert torch.equal(exponential(*whole(-X.abs(), 12))[0], exponential(*whole(-X.abs(), 12))[0].round())


def test_gelu_is_within_the_papers_bound():
    q, scale = whole(X, 16)
    found, unit = gelu(q, scale)
    error = (found * unit - F.gelu(q * scale)).abs()
    assert 0.001 < error.max() < 0.019, "the paper gives 0.018"


def test_the_exponential_is_within_the_papers_bound():
    q, scale = whole(-X.abs(), 16)
    found, unit = exponential(q, scale)
    assert (found * unit - torch.exp(q * scale)).abs().max() < 2.5e-3
    near = torch.linspace(-math.log(2), 0, 1001).double()
    poly, step = polynomial(near / 1e-7, 1e-7, EXP)
    assert (poly * step - near.exp()).abs().max() < 1.95e-3, "the paper gives 1.9e-3"
    assert exponential(torch.zeros(1).double(), scale)[0] * unit > 0.99


def test_softmax_and_its_sum():
    scores = torch.randn(7, 9, generator=torch.Generator().manual_seed(0)) * 3
    found, unit = softmax(*whole(scores, 12))
    torch.testing.assert_close((found * unit).float(), scores.softmax(dim=1), rtol=0, atol=5e-3)
    assert (((found * unit).sum(dim=1) - 1).abs() < 9 / 2**16).all()


def test_roots_are_whole_parts():
    numbers = torch.tensor([0.0, 1, 2, 3, 4, 15, 16, 17, 10**6, 10**12 - 1, 10**12]).double()
    assert root(numbers).tolist() == [math.isqrt(int(number)) for number in numbers]


def test_the_norm_is_that_of_pytorch():
    x = torch.randn(5, 32, generator=torch.Generator().manual_seed(0)) * 4 + 1
    weight, bias = torch.rand(32) + 0.5, torch.rand(32)
    found = layer_norm(whole(x, 22)[0], weight, bias)
    torch.testing.assert_close(found, F.layer_norm(x, (32,), weight, bias), rtol=0, atol=5e-3)
