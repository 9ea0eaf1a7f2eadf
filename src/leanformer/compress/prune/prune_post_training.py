"""Post-training pruning: removes heads and units, and fits the remaining weights to compensate.

What: ranks heads and units by the squared gradients of single texts and keeps the best within a budget. Within each
    layer the choice is refined by the correlation between pruned units. Then the output weights of every layer are
    fitted by least squares to reproduce the output of the unpruned model.
Paper: Kwon et al. 2022 (arXiv 2204.09656); weights by reconstruction: He, Zhang and Sun 2017 (arXiv 1707.06168).
Helps: removes a third to half of the FLOPs without training, within minutes on two cores; also a good starting point
    for compress.distil.
Hurts: below half of the FLOPs quality falls quickly, and training is needed after all.
Needs: torch; a model of a mapped family; labelled training texts, or unlabelled ones and the teacher.
Example: {step: compress.prune_post_training, keep: 0.75}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from leanformer.artifact import Artifact
from leanformer.compress.prune.budget import CostBudget
from leanformer.options import FilePath
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record

_NAME = "compress.prune_post_training"


@dataclass(frozen=True)
class PrunePostTraining(Make):
    """Cut heads and feed-forward units out of the artifact within a budget, and tune the remaining weights."""

    keep: float = 0.75  # share of the layers' cost to keep
    budget: str = "flops"  # what `keep` counts: "flops" at the texts' mean length, "parameters" or "latency"
    table: FilePath | None = None  # for "latency": of benchmarks/runtime/latency_table.py, on the machine that counts
    latency_ms: float | None = None  # for "latency": maximum milliseconds by the table; replaces `keep`
    tune: str = "weights"  # least squares for the "weights" of the output maps, for "masks" as published, or "none"
    multiple: int = 8  # feed-forward widths are multiples of this, so that vector units fill up
    texts: int = 2048  # training texts, drawn by the seed
    tune_tokens: int = 32768  # number of their tokens, from the start, to tune on

    technique: ClassVar[str] = _NAME
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"

    def __post_init__(self) -> None:
        self._budget.check(_NAME)
        self.one_of("tune", ("weights", "masks", "none"))
        self.at_least(1, "multiple", "tune_tokens")
        self.at_least(2, "texts")
        super().__post_init__()

    @property
    def _budget(self) -> CostBudget:
        return CostBudget(self.budget, self.keep, self.table, self.latency_ms)

    def planned(self, shape: PlannedShape) -> PlannedShape | None:
        return None if self.budget == "latency" else shape.scaled(self.keep)

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.compress.prune.fisher import search
        from leanformer.compress.prune.importance import gate_gradients, row_losses
        from leanformer.compress.prune.mask_tuning import tune
        from leanformer.compress.prune.prune import describe
        from leanformer.compress.prune.scoring_set import (
            batches_of,
            first_tokens,
            mean_tokens,
            open_for_pruning,
            scoring_set,
        )
        from leanformer.models.store import device_of, write_classifier
        from leanformer.models.surgery import narrow
        from leanformer.models.writing import TOKENIZER
        from leanformer.train.judging import task_again

        torch.set_num_threads(context.threads)
        device = device_of(context.device)
        model = open_for_pruning(_NAME, artifact).to(device)
        data = scoring_set(artifact, context, self.texts)
        costs = self._budget.costs(model.config, mean_tokens(data))
        limit = self._budget.limit(costs)
        batches = list(batches_of(data, batch_size=32, seed=context.seed, device=device))
        context.say(f"gradients of {len(data)} texts")
        gradients = gate_gradients(model, batches, row_losses(artifact.task.answer))
        heads, units = search(gradients, costs, limit, multiple=self.multiple)
        pruned = narrow(model.cpu(), heads, units)
        layers = pruned.config.layers
        share = costs.of(layers) / costs.full
        context.say(f"{describe(model.config.layers, layers)}; {100 * share:.1f} % of the {costs.unit} kept")
        if self.tune != "none":
            few = first_tokens(batches, self.tune_tokens)
            tune(pruned.to(device), model.to(device), few, self.tune, say=context.say)
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
