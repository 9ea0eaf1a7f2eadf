"""Routing attends within clusters of equal size; centroids follow the tokens in training alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from leanformer.models.attention.bias import AttentionBias, Places
from leanformer.models.attention.kinds import attention
from leanformer.models.attention.routing import members, routing
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.patterns import Routing
from tests.making.tiny import tiny_config
from tests.models.attention.mixing import heads

CENTROIDS = F.normalize(torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5)), dim=-1)


def test_it_is_the_mean_over_clusters():
    q, k, v, mask = heads()
    found = routing(q, k, v, mask, centroids=CENTROIDS)
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        share = -(-length // 3)
        near = [F.normalize(x[row, :, :length], dim=-1) @ CENTROIDS.mT for x in (q, k)]
        for head in range(2):
            total, count = torch.zeros(length, 4, dtype=torch.float64), torch.zeros(length)
            for cluster in range(3):
                asking, asked = (each[head, :, cluster].topk(share).indices for each in near)
                scores = q[row, head, asking] @ k[row, head, asked].mT / 2
                total[asking] += torch.softmax(scores, dim=-1) @ v[row, head, asked]
                count[asking] += 1
            torch.testing.assert_close(found[row, head, :length], total / count.clamp_min(1)[:, None].double())


def test_clusters_have_equal_shares_of_real_tokens():
    q, _, _, mask = heads()
    index, used = members(q, mask, CENTROIDS)
    assert used.sum(dim=1).tolist() == [4, 3]
    assert index[1, :, :, :3].max() < 7


def test_centroids_move_in_training_alone():
    layer = LayerShape(4, 48, attention=Routing(clusters=3))
    config = tiny_config(layers=(layer,))
    module, x = attention(config, layer), torch.randn(2, 9, 32)
    places = Places(AttentionBias(config), torch.ones(2, 9, dtype=torch.bool), x.dtype)
    before = module.centroids.clone()
    module.eval()(x, places)
    assert torch.equal(module.centroids, before)
    module.train()(x, places)
    assert not torch.equal(module.centroids, before)
    torch.testing.assert_close(module.centroids.norm(dim=-1), torch.ones(4, 3))
