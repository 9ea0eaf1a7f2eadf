"""The linear maps of an encoder's layers, which techniques of single weights change, and the largest of some scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from leanformer.models.classifier import Classifier


def maps(model: Classifier) -> dict[str, nn.Linear]:
    """The linear maps of all layers by name, in order; embeddings and head are not among them."""
    return {name: module for name, module in model.encoder.layers.named_modules() if isinstance(module, nn.Linear)}


def largest(scores: Tensor, density: float) -> Tensor:
    """A mask of the shape of `scores` that is true at the `density` share of largest ones, exactly; ties by place."""
    flat, count = scores.flatten(), round(density * scores.numel())
    if count <= 0 or count >= len(flat):
        return torch.full_like(scores, count > 0, dtype=torch.bool)
    # A selection is much faster than sorting, which would be done for every map in every step.
    limit = flat.kthvalue(len(flat) - count + 1).values
    mask = flat > limit
    ties = (flat == limit).nonzero().flatten()
    mask[ties[: count - int(mask.sum())]] = True
    return mask.view_as(scores)


@contextmanager
def watched(model: Classifier, see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Within the context, `see(name, x)` is called with the input of each map in every forward pass."""
    handles = [
        module.register_forward_pre_hook(lambda _, given, name=name: see(name, given[0]))
        for name, module in maps(model).items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
