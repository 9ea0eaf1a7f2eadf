"""Clustered attention: a cluster shares its context, and is exact on the keys that are corrected."""

from __future__ import annotations

import torch

from leanformer.models.attention.clustered import clustered, members
from tests.models.attention.mixing import dense, heads, same

OPTIONS = {"clusters": 3, "iterations": 4}


def test_a_cluster_shares_the_context_of_its_mean():
    q, k, v, mask = heads()
    found = clustered(q, k, v, mask, top=0, **OPTIONS)
    _, cluster = members(q / 2, mask, **OPTIONS)
    for number in range(3):
        inside = (cluster[1, 0] == number) & mask[1]
        if inside.any():
            mean = q[1:, :1, inside].mean(dim=2, keepdim=True)
            expected = dense(mean, k[1:, :1], v[1:, :1], mask[1:])[0, 0]
            torch.testing.assert_close(found[1, 0, inside], expected.expand(int(inside.sum()), -1))
    assert 1 < cluster[1, 0, :7].unique().numel() <= 3


def test_corrected_on_all_keys_it_is_exact():
    q, k, v, mask = heads()
    same(clustered(q, k, v, mask, top=11, **OPTIONS), dense(q, k, v, mask), mask)


def test_a_correction_brings_it_nearer():
    q, k, v, mask = heads()
    exact = dense(q, k, v, mask)
    errors = [float((clustered(q, k, v, mask, top=top, **OPTIONS) - exact)[0].abs().mean()) for top in (0, 4, 9)]
    assert errors[0] > errors[1] > errors[2]


def test_clusters_are_those_of_the_nearest_centre():
    q = torch.tensor([0.0, 0.1, 5.0, 5.1, -4.0, 0.2], dtype=torch.float64).reshape(1, 1, 6, 1)
    member, cluster = members(q, torch.ones(1, 6, dtype=torch.bool), 3, 3)
    assert cluster[0, 0, 0] == cluster[0, 0, 1] == cluster[0, 0, 5] != cluster[0, 0, 2] == cluster[0, 0, 3]
    assert member.sum() == 6
