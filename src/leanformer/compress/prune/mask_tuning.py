"""Scaling of a pruned model so that each layer reproduces the output of the unpruned model's layer.

After Kwon et al. 2022 (arXiv 2204.09656): layer by layer, from first to last, a factor for every head and unit is
found by linear least squares and folded into the weights that follow. With `weights` instead of `masks`, the problem
is solved for those weights themselves, as in reconstruction after channel pruning (He, Zhang and Sun 2017,
arXiv 1707.06168). Nothing is trained, and each solution is validated on texts that it was not fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leanformer.models.attention.bias import Places
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.train.feeds.batches import Batch

RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
# A larger factor means that the system had no good solution (Kwon et al. stop there).
LARGEST_FACTOR = 10.0


@dataclass
class Moments:
    """Sums over tokens that a least-squares problem needs, float64: X' X `[K, K]`, X' T `[K, H]` and the sum of T^2.

    X `[tokens, K]` is the input of a map `[H, K]`, T `[tokens, H]` its target output.
    """

    inner: Tensor
    cross: Tensor
    squares: float = 0.0

    @classmethod
    def empty(cls, inputs: int, outputs: int) -> Moments:
        return cls(torch.zeros(inputs, inputs, dtype=torch.float64), torch.zeros(inputs, outputs, dtype=torch.float64))

    def add(self, x: Tensor, target: Tensor) -> None:
        self.inner += (x.T @ x).cpu().double()
        self.cross += (x.T @ target).cpu().double()
        self.squares += float(target.double().pow(2).sum())

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.inner + other.inner, self.cross + other.cross, self.squares + other.squares)

    def error(self, weight: Tensor) -> float:
        """The squared error of the map `weight` `[H, K]`, summed over tokens."""
        fitted = float(((weight @ self.inner) * weight).sum())
        return self.squares - 2 * float((weight.T * self.cross).sum()) + fitted


def solve_masks(moments: Moments, weight: Tensor, groups: int, ridge: float) -> Tensor:
    """Factors `[groups]`, float64, for equal groups of the columns of `weight` `[H, K]`.

    They minimise |T - X diag(m) W'|^2 + r |m - 1|^2, where r is `ridge` times the mean of the system's diagonal.
    """
    size = weight.shape[1] // groups
    products = moments.inner * (weight.T @ weight)
    system = products.unflatten(0, (groups, size)).unflatten(2, (groups, size)).sum(dim=(1, 3))
    wanted = (moments.cross * weight.T).sum(dim=1).unflatten(0, (groups, size)).sum(dim=1)
    ones = torch.ones(groups, dtype=torch.float64)
    damping = ridge * float(system.diagonal().mean()) * torch.eye(groups, dtype=torch.float64)
    return ones + torch.linalg.solve(system + damping, wanted - system @ ones)


def solve_weights(moments: Moments, weight: Tensor, ridge: float) -> Tensor:
    """The map `[H, K]`, float64, that minimises |T - X W'|^2 + r |W - weight|^2; r as in `solve_masks`."""
    damping = ridge * float(moments.inner.diagonal().mean()) * torch.eye(len(moments.inner), dtype=torch.float64)
    return weight + torch.linalg.solve(moments.inner + damping, moments.cross - moments.inner @ weight.T).T


def best_map(fit: Moments, held_out: Moments, weight: Tensor, groups: int, kind: str) -> Tensor:
    """`weight` `[H, K]` with tuned columns, or unchanged if no solution is better on the held-out tokens.

    Ridges are compared on the held-out part, and the best is solved again on both parts. A solution is discarded if it
    is not finite or contains a factor above 10 (for "weights": a column whose norm grew by more than this factor).
    """

    def candidate(moments: Moments, ridge: float) -> Tensor | None:
        try:
            if kind == "masks":
                factors = solve_masks(moments, weight, groups, ridge)
                found = weight * factors.repeat_interleave(weight.shape[1] // groups)
            else:
                found = solve_weights(moments, weight, ridge)
                factors = found.norm(dim=0) / weight.norm(dim=0).clamp_min(1e-12)
        except RuntimeError:  # torch.linalg.LinAlgError: the system is singular
            return None
        sound = bool(torch.isfinite(found).all()) and float(factors.abs().max()) <= LARGEST_FACTOR
        return found if sound else None

    best_ridge, least = None, held_out.error(weight)
    for ridge in RIDGES:
        found = candidate(fit, ridge)
        if found is not None and (error := held_out.error(found)) < least:
            best_ridge, least = ridge, error
    if best_ridge is None:
        return weight
    found = candidate(fit + held_out, best_ridge)
    return weight if found is None else found


def tune(
    pruned: Classifier,
    whole: Classifier,
    batches: Sequence[Batch],
    kind: str,
    *,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Tune `pruned` in place, attention then feed-forward block of each layer, to reproduce the outputs of `whole`.

    Targets are sums of the residual stream and a block's output, before any LayerNorm that follows, so that later
    layers compensate for errors that earlier ones could not correct. In the last layer only the first token counts if
    the head reads no other. Every second text is held out (`best_map`). Both models have the same depth and width and
    are on one device.
    """
    with torch.no_grad():
        states = [tuple(m.encoder.embeddings(batch.ids, batch.types) for m in (whole, pruned)) for batch in batches]
        depth = len(pruned.encoder.layers)
        for i in range(depth):
            theirs, ours = whole.encoder.layers[i], pruned.encoder.layers[i]
            assert isinstance(theirs, Layer)
            assert isinstance(ours, Layer)
            counted = [batch.mask.bool() for batch in batches]
            if i == depth - 1 and pruned.config.head.pooling == "first":
                counted = [_first(mask) for mask in counted]
            before = after = 0.0
            for block, place, groups in (
                ("attention", ours.attention.output, ours.attention.heads),
                ("ffn", ours.ffn.down, ours.ffn.down.in_features),
            ):
                width = place.in_features, place.out_features
                parts = Moments.empty(*width), Moments.empty(*width)
                wanted = []
                for (x, y), batch, rows in zip(states, batches, counted, strict=True):
                    wanted.append(residual_sum(whole, theirs, block, x, batch.mask))
                    with _inputs_of(place) as seen:
                        residual_sum(pruned, ours, block, y, batch.mask)
                    target = wanted[-1] - (y if place.bias is None else y + place.bias)
                    for half, part in enumerate(parts):
                        chosen = rows.clone()
                        chosen[1 - half :: 2] = False
                        part.add(seen[0][chosen], target[chosen])
                old = place.weight.cpu().double()
                new = best_map(parts[0], parts[1], old, groups, kind)
                together = parts[0] + parts[1]
                before, after = before + together.error(old), after + together.error(new)
                place.weight.copy_(new.to(place.weight))
                for j, ((_, y), batch) in enumerate(zip(states, batches, strict=True)):
                    given = residual_sum(pruned, ours, block, y, batch.mask)
                    states[j] = norm_behind(theirs, block, wanted[j]), norm_behind(ours, block, given)
            say(f"layer {i + 1} of {depth}: squared error {before:.4g}, tuned {after:.4g}")


def residual_sum(model: Classifier, layer: Layer, block: str, x: Tensor, mask: Tensor) -> Tensor:
    """`x` `[B, S, H]` plus the output of a layer's block ("attention" or "ffn"), before any norm that follows."""
    inner = getattr(layer, f"{block}_norm")(x) if layer.norm_first else x
    if block == "ffn":
        return x + layer.ffn(inner)
    return x + layer.attention(inner, Places(model.encoder.bias, mask, x.dtype))[0]


def norm_behind(layer: Layer, block: str, x: Tensor) -> Tensor:
    """The residual sum after the block's norm; unchanged in a pre-norm model."""
    return x if layer.norm_first else getattr(layer, f"{block}_norm")(x)


def _first(mask: Tensor) -> Tensor:
    """True only at the first token of each row."""
    first = torch.zeros_like(mask)
    first[:, 0] = True
    return first


@contextmanager
def _inputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the inputs of `module` while the context is active."""
    seen: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        handle.remove()
