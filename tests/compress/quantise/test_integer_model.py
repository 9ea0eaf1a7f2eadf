"""A model by whole numbers: near, not equal, and itself again afterwards."""

from __future__ import annotations

import torch

from leanformer.compress.quantise.integer_model import integer_only
from tests.making.tiny import tiny_classifier

MODEL = tiny_classifier()
IDS = torch.tensor([[2, 9, 10, 11, 3], [2, 12, 3, 0, 0]])


@torch.no_grad()
def test_answers_are_near_and_padding_is_not_seen():
    before = MODEL(IDS, IDS > 0)
    with integer_only(MODEL, bits=12):
        within = MODEL(IDS, IDS > 0)
        other = MODEL(IDS + 7 * (IDS == 0), IDS > 0)
    assert 1e-4 < (within - before).abs().max() < 0.15
    torch.testing.assert_close(within[1], other[1], rtol=0, atol=0.02)
    assert torch.equal(MODEL(IDS, IDS > 0), before), "it is off after the context"


@torch.no_grad()
def test_fewer_bits_are_further_off():
    before, errors = MODEL(IDS, IDS > 0), []
    for bits in (4, 8):
        with integer_only(MODEL, bits=bits):
            errors.append(float((MODEL(IDS, IDS > 0) - before).norm()))
    assert errors[0] > 2 * errors[1]
