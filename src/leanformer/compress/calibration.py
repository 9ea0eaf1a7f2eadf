"""What a model does on a few texts: second moments and ranges of the inputs of its maps, and gradients of its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.models.maps import maps, watched
from leanformer.train.feeds.batches import Batch

Loss = Callable[[Classifier, Batch], Tensor]


@torch.no_grad()
def second_moments(model: Classifier, batches: Iterable[Batch]) -> dict[str, Tensor]:
    """Mean of x x^T over real tokens for each map, `[in, in]`, float64: half the Hessian of its squared error."""
    found: dict[str, Tensor] = {}
    tokens = 0
    for batch in batches:

        def see(name: str, x: Tensor, batch: Batch = batch) -> None:
            real = x[batch.mask.bool()].double()
            found[name] = found[name] + real.T @ real if name in found else real.T @ real

        with watched(model, see):
            model(batch.ids, batch.mask, batch.types)
        tokens += int(batch.mask.sum())
    return {name: moment / tokens for name, moment in found.items()}


@torch.no_grad()
def largest_inputs(model: Classifier, batches: Iterable[Batch]) -> dict[str, Tensor]:
    """The largest absolute value of each input channel over real tokens, `[in]`, for each map."""
    found: dict[str, Tensor] = {}
    for batch in batches:

        def see(name: str, x: Tensor, batch: Batch = batch) -> None:
            peak = x[batch.mask.bool()].abs().amax(dim=0)
            found[name] = torch.maximum(found[name], peak) if name in found else peak

        with watched(model, see):
            model(batch.ids, batch.mask, batch.types)
    return found


def gradients(model: Classifier, batches: Iterable[Batch], loss: Loss) -> dict[str, Tensor]:
    """Gradients of the loss of each batch by the weight of each map: `[batches, out, in]`, in half precision.

    They are scaled by one power of two for all maps, so that none vanishes in half precision; the Fisher matrices made
    of them keep their directions.
    """
    parts = maps(model)
    rows: dict[str, list[Tensor]] = {name: [] for name in parts}
    for batch in batches:
        found = torch.autograd.grad(loss(model, batch), [part.weight for part in parts.values()])
        for name, gradient in zip(parts, found, strict=True):
            rows[name].append((gradient * 1024).clamp(-6e4, 6e4).half())
    return {name: torch.stack(grads) for name, grads in rows.items()}
