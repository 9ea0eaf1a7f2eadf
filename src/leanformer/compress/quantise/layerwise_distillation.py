"""Layerwise distillation: a quantised layer is tuned to give what the layer itself gave, one after another.

Paper: ZeroQuant, Yao et al. 2022 (arXiv 2206.01861). No labels, and no more than one layer trains at a time. The inputs
of a layer are those of the model that is quantised up to there; in the paper they are those of the model as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from leanformer.compress.stored import Stored
from leanformer.models.classifier import Classifier
from leanformer.models.maps import maps
from leanformer.train.feeds.batches import Batch
from leanformer.train.hooks.projected import install, remove

Quantiser = Callable[[Tensor], Stored]


def layerwise_distillation(
    model: Classifier, batches: Sequence[Batch], quantise: Quantiser, *, steps: int = 100, rate: float = 1e-4
) -> dict[str, int]:
    """Quantise the maps of a model in place; the bits of each.

    Without steps it is `quantise` alone. Each step is over one batch, in turn; dropout is off.
    """
    model.eval()
    with torch.no_grad():
        states = [model.outputs(batch.ids, batch.mask, batch.types).encoded.hidden_states for batch in batches]
    inputs = [hidden[0] for hidden in states]
    bits = {}
    for index, layer in enumerate(model.encoder.layers):
        parts = {name: part for name, part in maps(model).items() if name.startswith(f"{index}.")}
        for part in parts.values():
            install(part, lambda weight: quantise(weight).weight)
        optimiser = torch.optim.Adam(layer.parameters(), lr=rate)
        for step in range(steps):
            at = step % len(batches)
            loss = _error(_run(model, layer, inputs[at], batches[at]), states[at][index + 1], batches[at].mask)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for name, part in parts.items():
            bits[name] = quantise(remove(part, latent=True)).bits
            with torch.no_grad():
                part.weight.copy_(quantise(part.weight).weight)
        with torch.no_grad():
            inputs = [_run(model, layer, x, batch) for x, batch in zip(inputs, batches, strict=True)]
    return bits


def _run(model: Classifier, layer: nn.Module, x: Tensor, batch: Batch) -> Tensor:
    from leanformer.models.attention.bias import Places

    result: Tensor = layer(x, Places(model.encoder.bias, batch.mask, x.dtype))[0]
    return result


def _error(found: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    return (found - wanted)[mask.bool()].square().mean()
