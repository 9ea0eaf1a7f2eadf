"""Structured pruning: removes whole attention heads and feed-forward units, the least important first.

What: ranks heads and feed-forward units by how much the loss depends on them and removes the lowest; either the same
    number in every layer, or across layers within a budget.
Paper: Kim and Hassan 2020, FastFormers (arXiv 2010.13382); Michel, Levy and Neubig 2019 (arXiv 1905.10650).
Helps: between two distillations; models with wide feed-forward blocks and tasks with long texts gain most.
Hurts: without training afterwards, quality falls quickly (see compress.prune_post_training). With training, heads
    chosen at random are often nearly as good, so compare with `ranking: random`.
Needs: torch; a model of a mapped family; labelled training texts, or unlabelled ones and the teacher.
Example: {step: compress.prune, keep: 0.5}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from leanformer.artifact import Artifact
from leanformer.compress.prune.budget import CostBudget
from leanformer.errors import RecipeError
from leanformer.options import FilePath
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record

if TYPE_CHECKING:
    from torch import Tensor

    from leanformer.compress.prune.costs import CostTable, Widths
    from leanformer.compress.prune.importance import Scores
    from leanformer.models.classifier import Classifier
    from leanformer.shapes.encoder import EncoderConfig, LayerShape
    from leanformer.train.feeds.batches import TrainingSet

_NAME = "compress.prune"


@dataclass(frozen=True)
class Prune(Make):
    """Cut heads and feed-forward units out of the artifact; nothing is trained."""

    keep: float = 0.5  # share of the layers' cost to keep, spent where heads and units matter most
    budget: str = "flops"  # what `keep` counts: "flops" at the texts' mean length, "parameters" or "latency"
    heads: int | None = None  # number of heads in every layer; replaces `keep`
    ffn: int | None = None  # number of feed-forward units in every layer; replaces `keep`
    table: FilePath | None = None  # for "latency": of benchmarks/runtime/latency_table.py, on the machine that counts
    latency_ms: float | None = None  # for "latency": maximum milliseconds by the table; replaces `keep`
    ranking: str = "importance"  # "importance" by gradients, "magnitude" of weights, or "random", the control
    multiple: int = 8  # feed-forward widths under `keep` are multiples of this, so that vector units fill up
    texts: int = 2048  # training texts, drawn by the seed, to score on
    batch_size: int = 32  # texts whose mean loss gives one gradient

    technique: ClassVar[str] = _NAME
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"

    def __post_init__(self) -> None:
        self._budget.check(_NAME)
        self.one_of("ranking", ("importance", "magnitude", "random"))
        self.at_least(1, "heads", "ffn", "multiple", "texts", "batch_size")
        super().__post_init__()

    @property
    def _budget(self) -> CostBudget:
        return CostBudget(self.budget, self.keep, self.table, self.latency_ms)

    def planned(self, shape: PlannedShape) -> PlannedShape | None:
        if self.heads is not None or self.ffn is not None:
            return shape.narrowed(self.heads, self.ffn)
        return None if self.budget == "latency" else shape.scaled(self.keep)

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.compress.prune.scoring_set import mean_tokens, open_for_pruning, scoring_set
        from leanformer.models.store import device_of, write_classifier
        from leanformer.models.surgery import narrow
        from leanformer.models.writing import TOKENIZER
        from leanformer.train.judging import task_again

        torch.set_num_threads(context.threads)
        model = open_for_pruning(_NAME, artifact).to(device_of(context.device))
        data = scoring_set(artifact, context, self.texts)
        costs = self._budget.costs(model.config, mean_tokens(data))
        scores = self._scores(model, data, artifact.task.answer, context.seed)
        widths = self._widths(model.config, scores, costs)
        # In order of importance, so that a narrower model is a prefix of this one.
        heads = [best(head, width.heads) for head, width in zip(scores.heads, widths, strict=True)]
        units = [best(unit, width.ffn) for unit, width in zip(scores.units, widths, strict=True)]
        pruned = narrow(model.cpu(), heads, units)
        layers = pruned.config.layers
        share = costs.of(layers) / costs.full
        context.say(f"{describe(model.config.layers, layers)}; {100 * share:.1f} % of the {costs.unit} kept")
        entry = record(self, artifact) | {
            "seed": context.seed,
            "result": {"scored_texts": len(data), "kept": round(share, 6), "counted": costs.unit},
            "shape": pruned.config.to_json()["layers"],
        }
        return write_classifier(
            pruned,
            output,
            task=task_again(pruned, artifact, context),
            tokenizer=artifact.file(TOKENIZER),
            max_tokens=artifact.max_tokens,
            history=[*artifact.history, entry],
        )

    def _scores(self, model: Classifier, data: TrainingSet, answer: str, seed: int) -> Scores:
        from leanformer.compress.prune.importance import first_order_scores, row_losses
        from leanformer.compress.prune.ranking import magnitude_scores, random_scores
        from leanformer.compress.prune.scoring_set import batches_of

        if self.ranking == "random":
            return random_scores(model.config, seed)
        if self.ranking == "magnitude":
            return magnitude_scores(model.cpu())
        device = next(model.parameters()).device
        batches = batches_of(data, batch_size=self.batch_size, seed=seed, device=device)
        return first_order_scores(model, batches, row_losses(answer))

    def _widths(self, config: EncoderConfig, scores: Scores, costs: CostTable) -> tuple[Widths, ...]:
        """The widths to keep in each layer: as set by `heads` and `ffn`, otherwise as the budget allows."""
        from leanformer.compress.prune.allocate import allocate
        from leanformer.compress.prune.costs import Widths
        from leanformer.compress.prune.ranking import worth_their_cost

        if self.heads is None and self.ffn is None:
            worth = worth_their_cost(scores, costs)
            heads, units = ([worths.numpy() for worths in kind] for kind in (worth.heads, worth.units))
            return allocate(heads, units, costs, self._budget.limit(costs), multiple=self.multiple)
        for i, layer in enumerate(config.layers):
            for wanted, there, what in ((self.heads, layer.heads, "heads"), (self.ffn, layer.ffn, "ffn")):
                if wanted is not None and wanted > there:
                    raise RecipeError(
                        f"{_NAME}: {what} {wanted}, but layer {i + 1} has only {there}\n"
                        f"  remedy: at most {min(getattr(layer, what) for layer in config.layers)}"
                    )
        return tuple(Widths(self.heads or layer.heads, self.ffn or layer.ffn) for layer in config.layers)


def best(scores: Tensor, count: int) -> Tensor:
    """The indices of the `count` largest scores, largest first; ties go to the lower index."""
    return scores.argsort(descending=True, stable=True)[:count]


def describe(before: Sequence[LayerShape], after: Sequence[LayerShape]) -> str:
    """A phrase with the remaining numbers of heads and units."""
    heads, units = (
        f"{sum(getattr(layer, part) for layer in after)} of {sum(getattr(layer, part) for layer in before)}"
        for part in ("heads", "ffn")
    )
    return f"{heads} heads and {units} units"
