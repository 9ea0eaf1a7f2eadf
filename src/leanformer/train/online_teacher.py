"""A teacher that runs inside the training step, for outputs too large to be stored.

Queries, keys and values of 100,000 sentences are gigabytes. Answers and a few states are better computed once and kept
(see `train.teacher_outputs`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.rotary import rotate
from leanformer.models.classifier import Classifier, ClassifierOutput
from leanformer.models.encoder import EncoderOutput, Layer
from leanformer.train.feeds.batches import Batch


class OnlineTeacher:
    """A model in eval mode whose outputs on a block carry no gradient.

    It is not a module, so that an objective that holds it neither trains nor saves it.
    """

    def __init__(self, model: Classifier, device: torch.device) -> None:
        self.model = model.to(device).eval()

    def outputs(self, batch: Batch) -> ClassifierOutput:
        """Its logits and hidden states for a block, without a gradient."""
        with torch.no_grad():
            return self.model.outputs(batch.ids, batch.mask, batch.types)

    def scores(self, encoded: EncoderOutput, layer: int) -> Tensor:
        """Its `scores_at`, without a gradient."""
        with torch.no_grad():
            return scores_at(self.model, encoded, layer)

    def projections(self, batch: Batch, layer: int) -> tuple[Tensor, Tensor, Tensor]:
        """Its `projections_at`, without a gradient."""
        with torch.no_grad():
            return projections_at(self.model, batch, layer)


def projections_at(model: Classifier, batch: Batch, layer: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of a layer (from 0) for a block, `[B, S, W]` each; later layers are not run."""
    types = batch.types if model.config.token_types > 1 else None
    state = model.encoder(batch.ids, batch.mask, types, depth=layer).last
    return _layer(model, layer).projections(state)


def scores_at(model: Classifier, encoded: EncoderOutput, layer: int) -> Tensor:
    """Attention scores before the softmax of a layer (from 0), QK' / sqrt(head size), `[B, heads, S, S]`, float32.

    They are computed from the states `encoded`. Padding, windows and relative biases are not part of them.
    """
    module = _layer(model, layer)
    size, base = model.config.head_size, module.shape.rotary_base
    query, key, _ = module.projections(encoded.hidden_states[layer])
    with torch.autocast(query.device.type, enabled=False):
        query, key = (vectors.float().unflatten(-1, (-1, size)).transpose(1, 2) for vectors in (query, key))
        if base is not None:
            query, key = rotate(query, base), rotate(key, base)
        return query @ key.transpose(-1, -2) / size**0.5


def _layer(model: Classifier, layer: int) -> Layer:
    module = model.encoder.layers[layer]
    assert isinstance(module, Layer)
    return module
