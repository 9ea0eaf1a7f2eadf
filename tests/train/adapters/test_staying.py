"""Adapters that stay: what they freeze is thawed, and a model that they cannot adapt is refused."""

from __future__ import annotations

import pytest
from torch import nn

from leanformer.errors import LeanformerError
from leanformer.models.classifier import Classifier
from leanformer.train.adapters.staying import Staying, layers_of
from tests.making.adapted import attached
from tests.making.tiny import tiny_classifier, tiny_config


class Norms(Staying):
    """Trains a norm of each layer, and one of them twice."""

    def put(self, model: Classifier) -> list[nn.Parameter]:
        norms = [layer.ffn_norm.weight for layer in layers_of(model, post_norm=True)]
        return [*norms, norms[0]]


def test_only_its_own_and_the_head_are_trained() -> None:
    adapter = Norms()
    model = attached(adapter)
    own = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name for name in own if not name.startswith("head.")} == {
        "encoder.layers.0.ffn_norm.weight", "encoder.layers.1.ffn_norm.weight",
    }  # fmt: skip
    assert len(adapter.groups(model)[0].parameters) == len(own), "each parameter once"
    adapter.merge(model)
    assert all(parameter.requires_grad for parameter in model.parameters()) and not adapter.merges


def test_other_models_are_refused() -> None:
    with pytest.raises(LeanformerError, match="a Linear has no layers"):
        Norms().attach(nn.Linear(2, 2))
    with pytest.raises(LeanformerError, match="norms before its blocks"):
        Norms().attach(tiny_classifier(tiny_config(norm_first=True)))
