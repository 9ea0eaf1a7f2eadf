"""infinity-former: the memory is a fit of the past, read through a Gaussian density."""

from __future__ import annotations

import torch

from leanformer.models.attention.infinity import bumps, fits, infinity, seen_through
from tests.models.attention.mixing import dense, heads


def test_a_fit_recovers_a_smooth_signal():
    first, _ = fits(64, 32, torch.float64)
    points = (torch.arange(64, dtype=torch.float64) + 0.5) / 64
    signal = torch.stack((torch.ones(64, dtype=torch.float64), points), dim=1)
    found = bumps(points, 32) @ (first @ signal)
    torch.testing.assert_close(found[8:-8], signal[8:-8], atol=0.02, rtol=0)


def test_a_density_sees_the_mean_of_each_bump():
    mean, variance = torch.tensor([0.4], dtype=torch.float64), torch.tensor([0.01], dtype=torch.float64)
    points = torch.linspace(-1, 2, 6001, dtype=torch.float64)
    density = torch.exp(-((points - mean) ** 2) / 0.02) / (torch.pi * 0.02) ** 0.5
    expected = (density[:, None] * bumps(points, 5)).sum(dim=0) * (points[1] - points[0])
    torch.testing.assert_close(seen_through(mean, variance, 5), expected, atol=1e-6, rtol=0)


def test_the_first_segment_has_no_memory_and_later_ones_have():
    q, k, v, mask = heads(rows=1)
    parameters = {"centre": torch.zeros(2, 5, dtype=torch.float64), "width": torch.zeros(2, 5, dtype=torch.float64)}
    found = infinity(q, k, v, mask, segment=4, **parameters)
    parts = [dense(*(x[:, :, start : start + 4] for x in (q, k, v)), mask[:, start : start + 4]) for start in (0, 4)]
    torch.testing.assert_close(found[:, :, :4], parts[0])
    seen = seen_through(torch.tensor([0.5]).double(), torch.nn.functional.softplus(torch.zeros(1)).double(), 5)
    expected = parts[1] + seen[None] @ (fits(4, 5, torch.float64)[0] @ v[:, :, :4])
    torch.testing.assert_close(found[:, :, 4:8], expected)
