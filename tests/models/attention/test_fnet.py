"""FNet is numpy's Fourier transform of each text by itself, and has no parameters."""

from __future__ import annotations

import numpy as np
import torch

from leanformer.models.attention.fnet import fnet
from leanformer.models.attention.kinds import attention
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.mixers import FNet
from tests.making.tiny import tiny_config


def test_it_is_numpys_transform_of_each_text():
    x = torch.randn(3, 7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(7) < torch.tensor([7, 4, 7])[:, None]
    found = fnet(x, mask)
    for row, length in enumerate((7, 4, 7)):
        expected = np.fft.fft(np.fft.fft(x[row, :length].numpy(), axis=1), axis=0).real
        np.testing.assert_allclose(found[row, :length], expected, atol=1e-12)
        assert found[row, length:].eq(0).all()


def test_it_has_no_parameters():
    layer = LayerShape(4, 48, attention=FNet())
    assert not list(attention(tiny_config(layers=(layer,)), layer).parameters())
