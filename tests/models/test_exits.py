"""Heads of early exits in PyTorch: what they compute, from which states, and that they are stored as they are."""

from __future__ import annotations

import numpy as np
import torch

from leanformer.models.exits import AllAnswers, ExitHeads
from leanformer.models.heads import PooledHead, masked_mean
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.head import HeadShape
from tests.making.tiny import roughen, tiny_classifier, tiny_config

IDS = torch.tensor([[2, 40, 50, 3], [2, 60, 3, 0]])
MASK = IDS != 0
CONFIG = tiny_config(layers=(LayerShape(4, 48),) * 3)


def test_a_head_reads_the_mean_of_the_real_tokens_behind_its_layer():
    model = tiny_classifier(CONFIG)
    heads = ExitHeads(model, (1, 2))
    roughen(heads, 4)
    with torch.no_grad():
        states = model.outputs(IDS, MASK).encoded.hidden_states
        found = heads(states, MASK)
        for number, layer in enumerate((1, 2)):
            short = states[layer][1, :3].mean(dim=0)  # the second text without its padding
            inner = torch.tanh(heads.dense[number](short))
            assert torch.allclose(found[1, number], heads.classifier[number](inner), atol=1e-6)
    assert found.shape == (2, 2, 3)


def test_heads_start_from_the_models_own():
    model = tiny_classifier(CONFIG)
    assert isinstance(model.head, PooledHead)
    heads = ExitHeads(model, (1,))
    with torch.no_grad():
        states = model.outputs(IDS, MASK).encoded.hidden_states
        inner = torch.tanh(model.head.pooler(masked_mean(states[1], MASK)))
        assert torch.equal(heads(states, MASK)[:, 0], model.head.classifier(inner))
        heads.dense[0].weight.zero_()  # copies, not the model's own
    assert float(model.head.pooler.weight.detach().abs().sum()) > 0
    without = tiny_classifier(tiny_config(layers=CONFIG.layers, head=HeadShape(bias=False)))
    assert float(ExitHeads(without, (1,)).dense[0].bias.detach().abs().sum()) == 0


def test_stored_heads_answer_the_same():
    model = tiny_classifier(CONFIG)
    heads = ExitHeads(model, (1, 2))
    roughen(heads, 4)
    exits = heads.to_exits()
    with torch.no_grad():
        states = model.outputs(IDS, MASK).encoded.hidden_states
        means = [masked_mean(states[layer], MASK).numpy() for layer in (1, 2)]
        expected = heads(states, MASK)
        assert torch.equal(ExitHeads.of(model, exits)(states, MASK), expected)
    for number, head in enumerate(exits.heads):
        assert np.allclose(head.logits(means[number]), expected[:, number].numpy(), atol=1e-5)


def test_all_answers_are_those_of_the_exits_and_of_the_model():
    model = tiny_classifier(CONFIG)
    heads = ExitHeads(model, (2,))
    with torch.no_grad():
        found = AllAnswers(model, heads)(IDS, MASK).reshape(2, 2, 3)
        assert torch.equal(found[:, 1], model(IDS, MASK))
        assert torch.equal(found[:, 0], heads(model.outputs(IDS, MASK).encoded.hidden_states, MASK)[:, 0])
