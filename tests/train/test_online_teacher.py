"""A teacher inside the step: what it gives for a block, and that nothing of it is trained or saved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from leanformer.shapes.encoder import EncoderConfig, LayerShape
from leanformer.train.feeds.batches import Batch, TrainingSet, to_batches
from leanformer.train.objectives.relations import Relations
from leanformer.train.online_teacher import OnlineTeacher, projections_at, scores_at
from tests.making.tiny import tiny_classifier, tiny_config

CPU = torch.device("cpu")
LAYERS = (LayerShape(4, 48), LayerShape(4, 48), LayerShape(4, 48))


def batch() -> Batch:
    rows = [np.arange(5, 12, dtype=np.int32), np.arange(9, 13, dtype=np.int32)]
    [made] = to_batches(TrainingSet(rows, np.full(2, -1), 0), np.arange(2), token_budget=100, device=CPU)
    return made


@pytest.mark.parametrize(
    "config",
    [
        tiny_config(layers=LAYERS),
        tiny_config(layers=LAYERS, token_types=0),
        tiny_config(layers=(LayerShape(4, 48, attention_norm=False), *LAYERS[1:]), norm_first=True),
    ],
    ids=["post-norm", "no token types", "pre-norm"],
)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_queries_keys_and_values_are_those_that_the_layer_computes(config: EncoderConfig, layer: int) -> None:
    model, block, seen = tiny_classifier(config), batch(), {}
    attention = model.encoder.layers[layer].attention
    for name in ("query", "key", "value"):
        getattr(attention, name).register_forward_hook(lambda _m, _x, out, name=name: seen.update({name: out}))
    with torch.no_grad():
        model(block.ids, block.mask)
        whole = dict(seen)
        found = projections_at(model, block, layer)
    for values, name in zip(found, ("query", "key", "value"), strict=True):
        torch.testing.assert_close(values, whole[name])


def test_it_carries_no_gradient_and_is_no_part_of_an_objective() -> None:
    model = tiny_classifier(tiny_config(layers=LAYERS, dropout=0.5)).train()
    teacher = OnlineTeacher(model, CPU)
    first, again = teacher.projections(batch(), 1), teacher.projections(batch(), 1)
    assert all(not values.requires_grad for values in first)
    assert all(torch.equal(*both) for both in zip(first, again, strict=True)), "it has no dropout"
    objective = Relations(teacher, layer=1, heads=2)
    assert not list(objective.parameters()) and not objective.state_dict()


def test_later_layers_are_not_run() -> None:
    model = tiny_classifier(tiny_config(layers=LAYERS))
    ran = []
    for number, layer in enumerate(model.encoder.layers):
        layer.register_forward_hook(lambda *_, number=number: ran.append(number))
    projections_at(model, batch(), 1)
    assert ran == [0]
    whole = replace(batch())
    assert len(model.encoder(whole.ids, whole.mask, depth=2).hidden_states) == 3


@pytest.mark.parametrize(
    "layers",
    [LAYERS, (LayerShape(4, 48, rotary_base=100.0),) * 3, (LayerShape(2, 48),) * 3],
    ids=["usual", "rotary", "fewer heads"],
)
def test_the_softmax_of_the_scores_are_the_attention_probabilities(layers: tuple[LayerShape, ...]) -> None:
    model, block = tiny_classifier(tiny_config(layers=layers)), batch()
    with torch.no_grad():
        encoded = model.outputs(block.ids, block.mask, with_attentions=True).encoded
        for layer, probabilities in enumerate(encoded.attentions):
            scores = scores_at(model, encoded, layer).masked_fill(~block.mask.bool()[:, None, None], -1e9)
            torch.testing.assert_close(torch.softmax(scores, dim=-1), probabilities)


def test_outputs_and_scores_carry_no_gradient() -> None:
    teacher = OnlineTeacher(tiny_classifier(tiny_config(layers=LAYERS)), CPU)
    outputs = teacher.outputs(batch())
    assert not outputs.logits.requires_grad and not teacher.scores(outputs.encoded, 2).requires_grad
