"""Members of a model: extracted, run in place and masked, they compute the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor

from leanformer.compress.prune.importance import _gated
from leanformer.models.classifier import Classifier
from leanformer.models.subnet import InPlace, Member, extracted, member_of
from leanformer.models.surgery import keep_layers
from leanformer.shapes.encoder import LayerShape, RelativeBias
from tests.making.tiny import tiny_classifier, tiny_config

CONFIG = tiny_config(layers=(LayerShape(4, 48),) * 4)
IDS = torch.randint(1, 60, (5, 9), generator=torch.Generator().manual_seed(2))
MASK = torch.arange(9)[None, :] < torch.tensor([9, 4, 2, 7, 9])[:, None]
DEPTHS, WIDTHS = (1.0, 0.75, 0.5, 0.25), (1.0, 0.5, 0.25)


@pytest.mark.parametrize(
    ("depth", "layers"),
    [(1.0, (0, 1, 2, 3, 4, 5)), (0.67, (0, 1, 3, 4)), (0.5, (0, 2, 4)), (0.33, (0, 3)), (0.01, (0,))],
)
def test_layers_are_kept_evenly_as_in_the_paper(depth: float, layers: tuple[int, ...]):
    member = member_of(tiny_config(layers=(LayerShape(12, 1536),) * 6), depth, 0.25)
    assert member == Member(layers, (3,) * len(layers), (384,) * len(layers))


def masked(model: Classifier, member: Member) -> Tensor:
    """Logits of the model with heads and units that the member lacks multiplied by zero."""
    rest = keep_layers(model, member.layers)
    gates = []
    for layer, heads, units in zip(rest.encoder.layers, member.heads, member.units, strict=True):
        gates.append((layer.attention.output, (torch.arange(layer.attention.heads) < heads).float()))
        gates.append((layer.ffn.down, (torch.arange(layer.ffn.down.in_features) < units).float()))
    with _gated(gates):
        return rest(IDS, MASK)


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "width"), list(product(DEPTHS, WIDTHS)))
@pytest.mark.parametrize(
    "config", [CONFIG, replace(CONFIG, gated_ffn=True, ffn_bias=False, relative_bias=RelativeBias(8, 16, 4))], ids="ab"
)
@torch.no_grad()
def test_every_member_extracted_is_the_member_masked_and_in_place(config: object, depth: float, width: float):
    model = tiny_classifier(config)  # type: ignore[arg-type]
    member = member_of(model.config, depth, width)
    alone = extracted(model, member)
    assert alone.config == member.config(model.config) == InPlace(model, member).config
    expected = alone(IDS, MASK)
    torch.testing.assert_close(masked(model, member), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(InPlace(model, member).outputs(IDS, MASK).logits, expected, rtol=0, atol=1e-5)
    if member.heads != (4,) * 4 or member.units != (48,) * 4:
        assert (expected - model(IDS, MASK)).abs().max() > 1e-2


def test_what_a_member_learns_the_whole_model_learns_in_that_part_alone():
    model = tiny_classifier(CONFIG).train()
    member = member_of(model.config, 0.5, 0.5)  # layers 1 and 3
    InPlace(model, member).outputs(IDS, MASK).logits.pow(2).sum().backward()
    first, second = model.encoder.layers[0], model.encoder.layers[1]
    gradient = first.ffn.up.weight.grad
    assert (gradient[:24].abs().sum(dim=1) > 0).all() and (gradient[24:] == 0).all()
    gradient = first.attention.output.weight.grad
    assert (gradient[:, :16].abs().sum(dim=0) > 0).all() and (gradient[:, 16:] == 0).all()
    assert second.ffn.up.weight.grad is None and model.encoder.layers[2].ffn.up.weight.grad is not None


def test_a_member_in_place_is_in_the_mode_of_the_model():
    model = tiny_classifier(replace(CONFIG, dropout=0.5))
    place = InPlace(model, member_of(model.config, 0.5, 0.5))
    assert torch.equal(place.outputs(IDS, MASK).logits, place.outputs(IDS, MASK).logits)
    model.train()
    assert not torch.equal(place.outputs(IDS, MASK).logits, place.outputs(IDS, MASK).logits)
