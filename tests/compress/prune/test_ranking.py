"""Scores of heads and units: by the size of their weights, at random, and scaled to what they cost."""

from __future__ import annotations

import torch

from leanformer.compress.prune.costs import flop_costs
from leanformer.compress.prune.importance import Scores
from leanformer.compress.prune.ranking import magnitude_scores, random_scores, worth_their_cost
from leanformer.shapes.encoder import LayerShape
from tests.making.tiny import tiny_classifier, tiny_config

CONFIG = tiny_config(layers=(LayerShape(4, 48), LayerShape(3, 40)))


def test_what_has_no_weights_scores_nothing_and_larger_weights_score_more():
    model = tiny_classifier(config=CONFIG)
    block, size = model.encoder.layers[0], CONFIG.head_size
    before = magnitude_scores(model)
    with torch.no_grad():
        block.attention.output.weight[:, size : 2 * size] = 0  # the second head
        block.ffn.down.weight[:, 5] *= 3
    after = magnitude_scores(model)
    assert [len(score) for score in (*after.heads, *after.units)] == [4, 3, 48, 40]
    assert after.heads[0][1] == 0 and torch.equal(after.heads[0][[0, 2, 3]], before.heads[0][[0, 2, 3]])
    assert after.units[0].argmax() == 5 and torch.isclose(after.units[0][5], 3 * before.units[0][5])
    assert torch.equal(after.heads[1], before.heads[1])


def test_random_scores_are_those_of_the_seed():
    first, again, other = (random_scores(CONFIG, seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.units, again.units, strict=True))
    assert not torch.equal(first.heads[0], other.heads[0])
    assert all(((score >= 0) & (score < 1)).all() for score in (*first.heads, *first.units))


def test_every_layer_is_worth_what_it_costs_whatever_the_scale_of_its_scores():
    costs = flop_costs(CONFIG, 20)
    scores = random_scores(CONFIG, 1)
    larger = Scores(tuple(1000 * score for score in scores.heads), scores.units)
    for scaled in (worth_their_cost(scores, costs), worth_their_cost(larger, costs)):
        for score, table in zip((*scaled.heads, *scaled.units), (*costs.heads, *costs.units), strict=True):
            assert torch.isclose(score.sum(), torch.tensor(table[-1], dtype=torch.float64))
        assert torch.equal(scaled.heads[0].argsort(), scores.heads[0].argsort())
    nothing = Scores(tuple(0 * score for score in scores.heads), scores.units)
    assert all(torch.isfinite(score).all() for score in worth_their_cost(nothing, costs).heads)
