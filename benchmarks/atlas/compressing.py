"""How each technique of the sparsity bench is applied: by name, to a trained model or in a training of its own.

Every function takes a `Case` and the technique's options, and returns the model as its file gives it back, with the
exact size of its maps in bits. A training technique begins with the pre-trained encoder and has as many steps as the
model that the others are applied to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress as without
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.atlas.finetuned import Start, fine_tune
from leanformer.compress.calibration import gradients, largest_inputs, second_moments
from leanformer.compress.prune.blocks import blocks, spread, stored_blocks
from leanformer.compress.prune.layerwise_obs import layerwise_obs
from leanformer.compress.prune.low_rank import factorised, low_rank, ranks
from leanformer.compress.prune.magnitude import magnitude
from leanformer.compress.prune.obert import obert
from leanformer.compress.prune.two_four import pattern, two_four
from leanformer.compress.quantise.binary import binary
from leanformer.compress.quantise.bit import BiT
from leanformer.compress.quantise.block_floating import block_floating
from leanformer.compress.quantise.choose_bits import choose_bits
from leanformer.compress.quantise.fp8 import fp8, fp8_weight
from leanformer.compress.quantise.gobo import gobo
from leanformer.compress.quantise.gptq import gptq
from leanformer.compress.quantise.integer_model import integer_only
from leanformer.compress.quantise.layerwise_distillation import layerwise_distillation
from leanformer.compress.quantise.llm_int8 import llm_int8
from leanformer.compress.quantise.nearest import half, nearest, rounded_inputs, size
from leanformer.compress.quantise.outlier_suppression import migrated, outlier_suppression
from leanformer.compress.quantise.q_bert import hessian_traces, q_bert
from leanformer.compress.quantise.smooth_quant import smooth_quant
from leanformer.compress.quantise.ternary import ternary
from leanformer.compress.quantise.word_table import word_table
from leanformer.compress.quantise.xtc import xtc
from leanformer.compress.stored import VALUE, Stored, sparse
from leanformer.models.classifier import Classifier
from leanformer.models.maps import largest, maps, watched
from leanformer.models.surgery import keep_layers, largest_units, layer_at, narrow
from leanformer.train.feeds.batches import Batch, to_batches
from leanformer.train.hooks.early_pruning import EarlyPruning
from leanformer.train.hooks.gradual import GradualPruning
from leanformer.train.hooks.group_lasso import GroupLasso
from leanformer.train.hooks.hook import Hook, Run
from leanformer.train.hooks.l0 import L0Gates
from leanformer.train.hooks.lottery import LotteryTicket
from leanformer.train.hooks.masked import Masked
from leanformer.train.hooks.movement import MovementPruning
from leanformer.train.hooks.q8bert import Q8Bert
from leanformer.train.hooks.quant_noise import QuantNoise
from leanformer.train.hooks.regrowth import Regrowth
from leanformer.train.hooks.soft_movement import SoftMovement
from leanformer.train.hooks.stabilised_lottery import StabilisedTicket
from leanformer.train.objectives.objective import Objective
from leanformer.train.online_teacher import OnlineTeacher


@dataclass(frozen=True)
class Made:
    """A compressed model, the bits of its maps and, where it is not the usual one, the bits of its word table.

    `whole` is whether the maps' values are stored as they are, in 16 bits; `undo` takes off what a model has besides
    its weights. `smaller` is whether its products have fewer operations here.
    """

    model: Classifier
    bits: int
    table: int | None = None
    whole: bool = False
    smaller: bool = False
    undo: list[Callable[[], None]] = field(default_factory=list)


@dataclass
class Case:
    """What a technique is given.

    Attributes:
        begun: rows and the model before its training. teacher: the trained model, as its file gives it back.
        steps, batch, rate: of every training. seed: of this case.
    """

    begun: Start
    teacher: Classifier
    seed: int
    steps: int
    batch: int
    rate: float
    texts: int = 128

    def copy(self) -> Classifier:
        """The trained model, to be changed."""
        return deepcopy(self.teacher)

    @cached_property
    def batches(self) -> list[Batch]:
        """A few texts of train, drawn by the seed, in batches of 8."""
        count = min(self.texts, len(self.begun.train))
        rows = np.random.default_rng(self.seed).permutation(len(self.begun.train))[:count]
        device = torch.device("cpu")
        return [
            batch for part in np.split(rows, range(8, count, 8))
            for batch in to_batches(self.begun.train, part, token_budget=100_000, device=device)
        ]  # fmt: skip

    @cached_property
    def moments(self) -> dict[str, Tensor]:
        """Of the inputs of each map of the trained model."""
        return second_moments(self.teacher, self.batches)

    @cached_property
    def peaks(self) -> dict[str, Tensor]:
        """The largest inputs of each map of the trained model."""
        return largest_inputs(self.teacher, self.batches)

    def trained(self, *hooks: Hook, model: Classifier | None = None, objective: Objective | None = None
                ) -> Classifier:  # fmt: skip
        """A model, at first the pre-trained one, after the steps of every training."""
        model = self.begun.make(self.seed) if model is None else model
        fine_tune(
            model, self.begun, rate=self.rate, steps=self.steps, seed=self.seed,
            batch=self.batch, hooks=hooks, objective=objective,
        )  # fmt: skip
        return model.eval()


def loss_of(model: Classifier, batch: Batch) -> Tensor:
    """The cross-entropy of a batch."""
    return nn.functional.cross_entropy(model(batch.ids, batch.mask, batch.types), batch.labels)


@torch.no_grad()
def each(model: Classifier, function: Callable[[str, Tensor], Stored]) -> int:
    """Replace the weight of every map; the bits of all."""
    bits = 0
    for name, part in maps(model).items():
        stored = function(name, part.weight.detach())
        part.weight.copy_(stored.weight)
        bits += stored.bits
    return bits


def by_weight(function: Callable[..., Stored], *, whole: bool = False) -> Callable[..., Made]:
    """A technique that looks at one weight at a time."""

    def apply(case: Case, **options: Any) -> Made:
        model = case.copy()
        return Made(model, each(model, lambda _, weight: function(weight, **options)), whole=whole)

    return apply


def on_inputs(model: Classifier, change: Callable[[str, Tensor], Tensor]) -> Callable[[], None]:
    """Change the inputs of all maps from now on; what undoes it."""
    handles = [
        part.register_forward_pre_hook(lambda _, given, name=name: (change(name, given[0]), *given[1:]))
        for name, part in maps(model).items()
    ]
    return lambda: [handle.remove() for handle in handles] and None


def _random(case: Case, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(case.seed * 1000 + sum(name.encode()))


def random_weights(case: Case, *, density: float) -> Made:
    """Single weights that are kept at random."""
    model = case.copy()

    def one(name: str, weight: Tensor) -> Stored:
        return sparse(weight, largest(torch.rand(weight.shape, generator=_random(case, name)), density))

    return Made(model, each(model, one), whole=True)


def random_pattern(case: Case, *, keep: int, of: int) -> Made:
    """2:4 at random."""
    model = case.copy()

    def one(name: str, weight: Tensor) -> Stored:
        mask = pattern(torch.rand(weight.shape, generator=_random(case, name)), keep, of)
        return Stored(weight * mask, two_four(weight, keep=keep, of=of).bits)

    return Made(model, each(model, one), whole=True)


def random_masks(case: Case, density: float, block: int = 1) -> dict[str, Tensor]:
    """Masks of blocks, drawn by the seed."""
    return {
        name: spread(
            largest(torch.rand([s // block for s in part.weight.shape], generator=_random(case, name)), density), block
        )
        for name, part in maps(case.teacher).items()
    }


def random_trained(case: Case, *, density: float, block: int = 1) -> Made:
    """A mask drawn before the training."""
    model = case.trained(Masked(random_masks(case, density, block)))
    return Made(model, _stored_trained(model, block), whole=True)


def _stored_trained(model: Classifier, block: int = 1) -> int:
    if block > 1:
        return each(model, lambda _, weight: stored_blocks(weight, block))
    return each(model, lambda _, weight: sparse(weight, weight != 0))


def trained_by(hook: Callable[..., Hook]) -> Callable[..., Made]:
    """A technique that is a hook of the training, after which zeros are not stored."""

    def apply(case: Case, **options: Any) -> Made:
        model = case.trained(hook(**options))
        return Made(model, _stored_trained(model, options.get("block", 1)), whole=True)

    return apply


def by_units(case: Case, model: Classifier, density: float, *, random: bool = False) -> Made:
    """The model with the share of its feed-forward units of largest norm, over all layers, and at least 8 in each."""
    layers = range(len(model.config.layers))
    scores = [_unit_scores(case, model, index, random=random) for index in layers]
    chosen = largest(torch.cat(scores), density).split([len(score) for score in scores])
    units = [torch.nonzero(kept).flatten() for kept in chosen]
    units = [kept if len(kept) >= 8 else score.topk(8).indices for kept, score in zip(units, scores, strict=True)]
    return narrowed(model, units)


def _unit_scores(case: Case, model: Classifier, index: int, *, random: bool) -> Tensor:
    ffn = layer_at(model, index).ffn
    if random:
        return torch.rand(ffn.down.in_features, generator=_random(case, str(index)))
    return (ffn.up.weight.detach().norm(dim=1) * ffn.down.weight.detach().norm(dim=0)).detach()


def narrowed(model: Classifier, units: Sequence[Tensor]) -> Made:
    """The model with these feed-forward units, all of whose values are stored."""
    heads = [torch.arange(layer.heads) for layer in model.config.layers]
    small = narrow(model, heads, units).eval()
    bits = VALUE * sum(part.weight.numel() for part in maps(small).values())
    return Made(
        small,
        bits,
        whole=True,
        smaller=any(len(kept) < layer.ffn for kept, layer in zip(units, model.config.layers, strict=True)),
    )


def group_lasso(case: Case, *, strength: float, density: float) -> Made:
    """Units that a penalty has shrunk are left out."""
    return by_units(case, case.trained(GroupLasso(strength)), density)


def random_units(case: Case, *, density: float) -> Made:
    """Units left out at random before the training."""
    start = by_units(case, case.begun.make(case.seed), density, random=True).model
    return by_units(case, case.trained(model=start), 1.0)


def l0(case: Case, **options: Any) -> Made:
    """Units whose gates have closed are left out."""
    model = case.trained(L0Gates(seed=case.seed, **options))
    units = []
    for index in range(len(model.config.layers)):
        norms = layer_at(model, index).ffn.down.weight.detach().norm(dim=0)
        alive = torch.nonzero(norms > 0).flatten()
        units.append(alive if len(alive) >= 8 else norms.topk(8).indices)
    return narrowed(model, units)


def flop(case: Case, *, density: float) -> Made:
    """Ranks over the whole model."""
    model = case.copy()
    chosen = ranks({name: part.weight.detach() for name, part in maps(model).items()}, density)
    return Made(model, each(model, lambda name, weight: low_rank(weight, chosen[name])), whole=density >= 1)


def uniform_ranks(case: Case, *, density: float) -> Made:
    """The same share of parameters for each map, of components drawn at random."""
    model = case.copy()

    def one(name: str, weight: Tensor) -> Stored:
        rank = max(1, int(density * weight.numel() / sum(weight.shape)))
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
        kept = torch.randperm(len(values), generator=_random(case, name))[:rank]
        return factorised(left[:, kept] * values[kept], right[kept])

    return Made(model, each(model, one))


def surgeon(case: Case, **options: Any) -> Made:
    """oBERT, on the gradients of the training loss of single texts."""
    model = case.copy()
    alone = to_batches(case.begun.train, np.arange(case.texts // 2), token_budget=1, device=torch.device("cpu"))
    found = gradients(case.teacher, alone, loss_of)
    return Made(model, each(model, lambda name, weight: obert(weight, found.pop(name), **options)), whole=True)


def by_layer(case: Case, **options: Any) -> Made:
    """Layer-wise surgery."""
    model = case.copy()
    return Made(
        model, each(model, lambda name, weight: layerwise_obs(weight, case.moments[name], **options)), whole=True
    )


def with_gptq(case: Case, **options: Any) -> Made:
    """GPTQ on the inputs of the trained model."""
    model = case.copy()
    return Made(model, each(model, lambda name, weight: gptq(weight, case.moments[name], **options)))


def nearest_inputs(case: Case, *, bits: int, inputs: int) -> Made:
    """Weights to the nearest, one scale a row; inputs as well, one scale a map, from the largest on a few texts."""
    model, peaks = case.copy(), case.peaks
    size_ = each(model, lambda _, weight: nearest(weight, bits=bits))
    undo = on_inputs(model, lambda name, x: rounded_inputs(x, bits=inputs, peak=peaks[name].max()))
    return Made(model, size_, undo=[undo])


def with_outliers(case: Case, *, threshold: float) -> Made:
    """LLM.int8."""
    model = case.copy()
    changes: dict[str, Callable[[Tensor], Tensor]] = {}

    def one(name: str, weight: Tensor) -> Stored:
        stored, changes[name] = llm_int8(weight, case.peaks[name], threshold=threshold)
        return stored

    size_ = each(model, one)
    return Made(model, size_, undo=[on_inputs(model, lambda name, x: changes[name](x))])


def scaled(case: Case, factors: Mapping[str, Tensor], peaks: Mapping[str, Tensor], bits: int, inputs: int) -> Made:
    """Inputs divided by factors and rounded up to a peak; weights multiplied by them and rounded."""
    model = case.copy()
    size_ = 0
    with torch.no_grad():
        for name, part in maps(model).items():
            stored = nearest(part.weight * factors[name], bits=bits)
            part.weight.copy_(stored.weight)
            size_ += stored.bits + VALUE * len(factors[name])
    undo = on_inputs(model, lambda name, x: rounded_inputs(x / factors[name], bits=inputs, peak=peaks[name]))
    return Made(model, size_, undo=[undo])


def smooth(case: Case, *, alpha: float, bits: int, inputs: int) -> Made:
    """SmoothQuant."""
    parts = maps(case.teacher)
    found = {
        name: half(smooth_quant(case.peaks[name], part.weight.detach(), alpha=alpha)) for name, part in parts.items()
    }
    return scaled(case, found, {name: (case.peaks[name] / found[name]).max() for name in parts}, bits, inputs)


@torch.no_grad()
def suppress(case: Case, *, bits: int, inputs: int) -> Made:
    """Outlier suppression: norms before the first maps of both blocks of a layer."""
    model = case.teacher
    factors, kept = {}, dict[str, list[Tensor]]()
    for name, part in maps(model).items():
        index, _, place = name.partition(".")
        norm = None
        if place.startswith("ffn.up"):
            norm = layer_at(model, int(index)).attention_norm
        elif place.startswith("attention") and not place.endswith("output"):
            norm = layer_at(model, int(index) - 1).ffn_norm if int(index) else model.encoder.embeddings.norm
        factors[name] = torch.ones(part.in_features) if norm is None else migrated(norm.weight.detach())  # type: ignore[arg-type]
    for batch in case.batches[:4]:
        mask = batch.mask.bool()
        with watched(model, lambda name, x, mask=mask: kept.setdefault(name, []).append(x[mask])):
            model(batch.ids, batch.mask, batch.types)
    peaks = {
        name: outlier_suppression(torch.cat(kept[name]) / factors[name], part.weight * factors[name], bits=inputs)
        for name, part in maps(model).items()
    }
    return scaled(case, factors, peaks, bits, inputs)


def hessian_groups(case: Case, **options: Any) -> Made:
    """Q-BERT."""
    parts = maps(case.teacher)
    batch = case.batches[0]
    with sdpa_kernel(SDPBackend.MATH):
        found = hessian_traces(
            loss_of(case.teacher, batch), [part.weight for part in parts.values()], draws=4, seed=case.seed
        )
    stored = q_bert(
        {name: part.weight.detach() for name, part in parts.items()}, dict(zip(parts, found, strict=True)), **options
    )
    model = case.copy()
    return Made(model, each(model, lambda name, _: stored[name]))


def float8(case: Case, *, exponent: int, mantissa: int) -> Made:
    """FP8 of weights and inputs; inputs are scaled so that their largest on a few texts is the end of the format."""
    model, peaks = case.copy(), case.peaks
    size_ = each(model, lambda _, weight: fp8_weight(weight, exponent=exponent, mantissa=mantissa))
    end = {4: 448.0, 5: 57344.0}.get(exponent)

    def change(name: str, x: Tensor) -> Tensor:
        scale = 1.0 if end is None else peaks[name].max() / end
        return fp8(x / scale, exponent=exponent, mantissa=mantissa) * scale

    return Made(model, size_, undo=[on_inputs(model, change)])


def table_of(case: Case, *, bits: int, group: int, symmetric: bool = False) -> Made:
    """The word table in few bits; maps as they are."""
    model = case.copy()
    word = model.encoder.embeddings.word
    with torch.no_grad():
        stored = word_table(word.weight, bits=bits, group=group) if not symmetric else nearest(word.weight, bits=bits)
        word.weight.copy_(stored.weight)
    bits_of_maps = VALUE * sum(part.weight.numel() for part in maps(model).values())
    return Made(model, bits_of_maps, table=stored.bits, whole=True)


def distil_layers(case: Case, *, bits: int, group: int, steps: int, rate: float = 1e-4) -> Made:
    """ZeroQuant's layerwise distillation, on the texts of the calibration."""
    model = case.copy()
    sizes = layerwise_distillation(
        model, case.batches, lambda weight: nearest(weight, bits=bits, group=group, symmetric=False), steps=steps,
        rate=rate,
    )  # fmt: skip
    return Made(model, sum(sizes.values()))


@torch.no_grad()
def by_program(case: Case, *, bits: Sequence[int], group: int, budget: float) -> Made:
    """Bits by an integer program: the damage is the divergence of the answers with one map alone quantised."""
    parts = maps(case.teacher)
    batches = case.batches[:4]
    probe = case.copy()
    before = [case.teacher(batch.ids, batch.mask, batch.types).log_softmax(dim=1) for batch in batches]
    damage, sizes = np.zeros((len(parts), len(bits))), np.zeros((len(parts), len(bits)))
    for row, (name, part) in enumerate(parts.items()):
        own = maps(probe)[name].weight
        for column, count in enumerate(bits):
            stored = nearest(part.weight, bits=count, group=group)
            own.copy_(stored.weight)
            sizes[row, column] = stored.bits
            after = [probe(batch.ids, batch.mask, batch.types).log_softmax(dim=1) for batch in batches]
            damage[row, column] = sum(
                float((old.exp() * (old - new)).sum()) for old, new in zip(before, after, strict=True)
            )
        own.copy_(part.weight)
    most = budget * sum(size(part.weight, 1, part.in_features, symmetric=True) for part in parts.values())
    chosen = dict(zip(parts, choose_bits(damage, sizes, max(most, sizes.min(axis=1).sum())), strict=True))
    model = case.copy()
    return Made(model, each(model, lambda name, weight: nearest(weight, bits=bits[chosen[name]], group=group)))


def lottery(case: Case, *, density: float) -> Made:
    """The ticket of the trained model."""
    model = case.trained(LotteryTicket(_weights(case.teacher), density))
    return Made(model, _stored_trained(model), whole=True)


def stabilised(case: Case, *, density: float, share: float, signs: bool) -> Made:
    """The ticket of the trained model, from all that it was after a share of its steps, its norms and head too."""
    start = case.begun.make(case.seed)
    if share:
        with without(EnoughError):
            case.trained(Until(max(1, round(share * case.steps))), model=start)
    model = case.trained(StabilisedTicket(_weights(case.teacher), None, density, signs=signs), model=start)
    return Made(model, _stored_trained(model), whole=True)


class EnoughError(Exception):
    """A training was to end before its time."""


class Until(Hook):
    """Ends a training after so many steps, with the rates of the whole of it."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def after_step(self, run: Run) -> None:
        if run.progress.step >= self.steps:
            raise EnoughError


def _weights(model: Classifier) -> dict[str, Tensor]:
    return {name: part.weight.detach().clone() for name, part in maps(model).items()}


def with_q8bert(case: Case, *, bits: int) -> Made:
    """Quantised in training."""
    hook = Q8Bert(bits)
    model = case.trained(hook)
    count = sum(part.weight.numel() for part in maps(model).values())
    return Made(model, (min(bits, VALUE) * count) + VALUE * len(maps(model)), undo=[hook.detach])


def with_noise(case: Case, *, bits: int, group: int, probability: float) -> Made:
    """Quant-Noise, with the grid of `nearest`."""
    model = case.trained(
        QuantNoise(lambda weight: nearest(weight, bits=bits, group=group).weight, probability, seed=case.seed)
    )
    return Made(model, each(model, lambda _, weight: nearest(weight, bits=bits, group=group)))


def extreme(case: Case, *, projects: bool = True) -> Made:
    """XTC: as many steps again, from the trained model."""
    hook, objective = xtc(OnlineTeacher(case.teacher, torch.device("cpu")), projects=projects)
    model = case.trained(hook, model=case.copy().requires_grad_(True), objective=objective)
    function = ternary if projects else partial(nearest, bits=32)
    return Made(model, each(model, lambda _, weight: function(weight)), whole=not projects)


def fully_binary(case: Case, *, inputs: int) -> Made:
    """BiT: as many steps again, from the trained model."""
    hook = BiT(inputs)
    objective = xtc(OnlineTeacher(case.teacher, torch.device("cpu")))[1]
    model = case.trained(hook, model=case.copy().requires_grad_(True), objective=objective)
    return Made(model, each(model, lambda _, weight: binary(weight)) + 2 * 32 * len(maps(model)), undo=[hook.detach])


def integers(case: Case, *, bits: int) -> Made:
    """I-BERT: weights and inputs of maps in 8 bits, and whole numbers between."""
    made = nearest_inputs(case, bits=8, inputs=8)
    context = integer_only(made.model, bits=bits)
    context.__enter__()
    return Made(made.model, made.bits, undo=[*made.undo, lambda: context.__exit__(None, None, None) and None])


def dense_model(case: Case, *, layers: int, ffn: int) -> Made:
    """The first layers of the encoder, with the largest units of each, trained like all others."""
    shape = case.teacher.config.layers
    if (layers, ffn) == (len(shape), shape[0].ffn):  # the trained model itself
        model = case.copy()
        return Made(model, VALUE * sum(part.weight.numel() for part in maps(model).values()), whole=True)
    start = keep_layers(case.begun.make(case.seed), range(layers))
    heads = [torch.arange(layer.heads) for layer in start.config.layers]
    start = narrow(start, heads, [largest_units(start, index, ffn).detach() for index in range(layers)])
    model = case.trained(model=start)
    return Made(model, VALUE * sum(part.weight.numel() for part in maps(model).values()), whole=True, smaller=True)


APPLY: dict[str, Callable[..., Made]] = {
    "magnitude": by_weight(magnitude, whole=True), "two_four": by_weight(two_four, whole=True),
    "blocks": trained_by(MovementPruning), "low_rank": flop, "group_lasso": group_lasso, "l0": l0,
    "layerwise_obs": by_layer, "obert": surgeon, "gradual": trained_by(GradualPruning),
    "movement": trained_by(MovementPruning), "soft_movement": trained_by(SoftMovement),
    "regrowth": trained_by(Regrowth), "early_pruning": trained_by(EarlyPruning), "lottery": lottery,
    "stabilised_lottery": stabilised, "q8bert": with_q8bert, "q_bert": hessian_groups, "quant_noise": with_noise,
    "i_bert": integers, "gobo": by_weight(gobo), "llm_int8": with_outliers, "ternary": by_weight(ternary),
    "binary": by_weight(binary), "bit": fully_binary, "xtc": extreme, "fp8": float8,
    "block_floating": by_weight(block_floating), "smooth_quant": smooth, "outlier_suppression": suppress,
    "layerwise_distillation": distil_layers, "word_table": table_of, "gptq": with_gptq, "choose_bits": by_program,
    # Controls: at random, or to the nearest.
    "dense": dense_model, "random_weights": random_weights, "random_pattern": random_pattern,
    "random_trained": random_trained, "random_units": random_units, "random_ranks": uniform_ranks,
    "one_shot_blocks": by_weight(blocks, whole=True), "nearest": by_weight(nearest), "nearest_inputs": nearest_inputs,
    "nearest_table": table_of,
}  # fmt: skip
