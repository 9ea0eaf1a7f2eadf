"""How much the loss depends on each attention head and each feed-forward unit.

A gate is a factor of 1 on a head's context or on a unit's activation. The gradient of the loss with respect to the gate
approximates, to first order, how the loss would change without the head or unit. No weights are updated, and gradients
do not accumulate from one batch to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.models.feedforward.dense import FeedForward
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.answers import LOSSES

RowLoss = Callable[[Tensor, Batch], Tensor]


@dataclass(frozen=True)
class Scores:
    """One score for each head `[heads]` and each unit `[ffn]` of every layer; higher means more important."""

    heads: tuple[Tensor, ...]
    units: tuple[Tensor, ...]


def row_losses(answer: str) -> RowLoss:
    """The loss of each row against its labels, `[B]`, for this answer form (see `train.objectives.answers`)."""
    hard = LOSSES[answer].hard
    return lambda logits, batch: hard(batch.of_examples(logits.float()), batch.labels)


def first_order_scores(model: Classifier, batches: Iterable[Batch], loss: RowLoss) -> Scores:
    """The scores of FastFormers (Kim and Hassan 2020, arXiv 2010.13382).

    A head's score is |dL/d gate|. A unit's score is |sum_j dL/dW_ij W_ij + dL/db_i b_i| over its row of the first
    feed-forward map; in a gated block, over its rows of both maps. L is the mean loss of one batch. Absolute values are
    summed over batches and divided by the number of tokens. Head scores are then divided by their L2 norm within each
    layer (Michel et al. 2019, arXiv 1905.10650), which matters only for comparisons between layers.
    """
    layers = _layers(model)
    heads = [torch.zeros(layer.attention.heads, dtype=torch.float64) for layer in layers]
    units = [torch.zeros(layer.ffn.up.out_features, dtype=torch.float64) for layer in layers]
    tokens = 0
    rows = [_incoming(layer.ffn) for layer in layers]
    for batch in batches:
        tokens += int(batch.mask.sum())
        gates = [torch.ones(layer.attention.heads, device=batch.ids.device, requires_grad=True) for layer in layers]
        with _gated([(layer.attention.output, gate) for layer, gate in zip(layers, gates, strict=True)]):
            value = loss(model(batch.ids, batch.mask, batch.types), batch).mean()
        found = iter(
            torch.autograd.grad(value, [*gates, *(parameter for parameters in rows for parameter in parameters)])
        )
        for score in heads:
            score += next(found).detach().cpu().double().abs()
        for score, parameters in zip(units, rows, strict=True):
            score += torch.stack([_moved(parameter, next(found)) for parameter in parameters]).sum(dim=0).abs().cpu()
    scale = 1 / max(tokens, 1)
    normed = tuple(head / head.norm().clamp_min(1e-30) for head in heads)
    return Scores(normed, tuple(unit * scale for unit in units))


def _incoming(ffn: FeedForward) -> list[Tensor]:
    """The weights `[units, H]` and biases `[units]` that compute the input of the activation, and of a gate if any."""
    return [parameter for linear in ffn.incoming for parameter in (linear.weight, linear.bias) if parameter is not None]


def _moved(parameter: Tensor, gradient: Tensor) -> Tensor:
    """dL/dW_i . W_i for each row i, the change of L when the row is scaled; `[rows]`, float64."""
    product = parameter.detach().double() * gradient.double()
    return product if product.ndim == 1 else product.sum(dim=1)


def gate_gradients(model: Classifier, batches: Iterable[Batch], loss: RowLoss) -> Scores:
    """Gradients of each example's own loss with respect to the gates of heads and units.

    Returns per layer `[examples, heads]` and `[examples, ffn]`, float32, in batch order. They do not depend on which
    examples share a batch, unlike the gradients of a batch's mean loss, which are often used instead. All rows of a
    question with candidates share the question's gates.
    """
    layers = _layers(model)
    collected: list[list[Tensor]] = [[] for _ in range(2 * len(layers))]
    for batch in batches:
        rows, device = len(batch.ids), batch.ids.device
        places = [(layer.attention.output, layer.attention.heads) for layer in layers]
        places += [(layer.ffn.down, layer.ffn.down.in_features) for layer in layers]
        gates = [torch.ones(rows, 1, count, device=device, requires_grad=True) for _, count in places]
        with _gated([(place, gate) for (place, _), gate in zip(places, gates, strict=True)]):
            value = loss(model(batch.ids, batch.mask, batch.types), batch).sum()
        for kept, gradient in zip(collected, torch.autograd.grad(value, gates), strict=True):
            kept.append(_per_example(gradient.detach().squeeze(1), batch).cpu())
    together = tuple(torch.cat(parts) for parts in collected)
    return Scores(together[: len(layers)], together[len(layers) :])


def _per_example(gradient: Tensor, batch: Batch) -> Tensor:
    """Row gradients `[rows, gates]` summed over the rows of each example, `[B, gates]`."""
    if batch.counts is None:
        return gradient
    example = torch.repeat_interleave(torch.arange(len(batch.counts), device=gradient.device), batch.counts)
    return gradient.new_zeros(len(batch.counts), gradient.shape[1]).index_add(0, example, gradient)


def _layers(model: Classifier) -> list[Layer]:
    found = []
    for layer in model.encoder.layers:
        assert isinstance(layer, Layer)
        found.append(layer)
    return found


@contextmanager
def _gated(places: Iterable[tuple[nn.Linear, Tensor]]) -> Iterator[None]:
    """Multiply the input of each map by its gate; each gate entry covers an equal share of the input columns."""

    def hook(gate: Tensor) -> Callable[[nn.Module, tuple[Tensor, ...]], Tensor]:
        def scaled(module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
            (x,) = inputs
            return x * gate.repeat_interleave(x.shape[-1] // gate.shape[-1], dim=-1)

        return scaled

    handles = [place.register_forward_pre_hook(hook(gate)) for place, gate in places]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
