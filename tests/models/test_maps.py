"""The maps of a model, and the exact share of largest scores."""

from __future__ import annotations

import pytest
import torch

from leanformer.models.maps import largest, maps, watched
from tests.making.tiny import tiny_classifier


def test_maps_are_those_of_the_layers_alone():
    names = list(maps(tiny_classifier()))
    assert len(names) == 12 and names[0] == "0.attention.query" and names[-1] == "1.ffn.down"


@pytest.mark.parametrize("density", [0.0, 0.01, 0.3, 0.5, 1.0])
def test_the_share_is_exact_also_with_ties(density: float):
    scores = torch.tensor([[1.0, 3, 3, 3, 2], [3, 3, 0, 0, 5]])
    mask = largest(scores, density)
    assert mask.dtype == torch.bool and int(mask.sum()) == round(density * 10)
    if 0 < int(mask.sum()) < 10:
        assert scores[mask].min() >= scores[~mask].max()


def test_ties_go_to_the_first():
    assert largest(torch.ones(2, 2), 0.5).tolist() == [[True, True], [False, False]]


def test_inputs_are_seen_within_the_context_alone():
    model, seen = tiny_classifier(), []
    ids = torch.tensor([[2, 7, 3]])
    with watched(model, lambda name, x: seen.append((name, x.shape))):
        model(ids, ids > 0)
    model(ids, ids > 0)
    assert len(seen) == 12 and seen[-1] == ("1.ffn.down", (1, 3, 48))
