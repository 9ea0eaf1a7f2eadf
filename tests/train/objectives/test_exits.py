"""Self-distillation of exits: towards the last layer's answers, each exit, and never into the layers."""

from __future__ import annotations

import numpy as np
import torch

from leanformer.models.exits import ExitHeads
from leanformer.shapes.encoder import LayerShape
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.distillation import soft_cross_entropy
from leanformer.train.objectives.exits import ExitDistillation
from tests.making.tiny import roughen, tiny_classifier, tiny_config

IDS = torch.tensor([[2, 40, 50, 3], [2, 60, 3, 0]])
BATCH = Batch(rows=np.arange(2), ids=IDS, mask=IDS != 0, types=None, labels=torch.tensor([-1, -1]), share=1.0)
CONFIG = tiny_config(layers=(LayerShape(4, 48),) * 3, dropout=0.5)


def test_the_loss_is_the_mean_of_the_exits_distances_from_the_last_layer():
    model = tiny_classifier(CONFIG)
    heads = ExitHeads(model, (1, 2))
    roughen(heads, 4)
    with torch.no_grad():
        target = model(BATCH.ids, BATCH.mask)
        exits = heads(model.outputs(BATCH.ids, BATCH.mask).encoded.hidden_states, BATCH.mask)
        parts = [soft_cross_entropy(exits[:, number], target, 2.0).mean() for number in range(2)]
    model.train()  # as the loop does; the dropout of .5 must not be felt
    loss = ExitDistillation(heads, 2.0)(model, BATCH)
    assert torch.allclose(loss, (parts[0] + parts[1]) / 2, atol=1e-6)


def test_only_heads_get_a_gradient():
    model = tiny_classifier(CONFIG)
    objective = ExitDistillation(ExitHeads(model, (1, 2)))
    objective(model, BATCH).backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    grads = [parameter.grad for parameter in objective.parameters()]
    assert len(grads) == 8 and all(grad is not None and float(grad.abs().sum()) > 0 for grad in grads)
