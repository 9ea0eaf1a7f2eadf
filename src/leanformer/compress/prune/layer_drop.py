"""Removal of whole layers of a trained encoder.

What: some layers are removed and the others keep their weights. The strategy selects the layers at the top, at the
    bottom, in the middle, every second one from the top, or those that change the hidden states least. Nothing is
    trained.
Paper: Sajjad, Dalvi, Durrani and Nakov 2020, On the Effect of Dropping Layers of Pre-trained Transformer Models (arXiv
    2004.03844).
Helps: as the starting point of further training, from a pre-trained encoder or a teacher. In the paper, models without
    up to 40 % of their layers keep up to 98 % of the quality.
Hurts: without further training quality drops at once; the lowest layers matter most. compress.distil chooses layers
    by short trials instead.
Needs: torch; a model of a mapped family; training texts for `contribution`.
Example: {step: compress.layer_drop, strategy: top, drop: 2}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from leanformer.artifact import Artifact
from leanformer.errors import RecipeError
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record

if TYPE_CHECKING:
    from torch import Tensor

    from leanformer.models.classifier import Classifier
    from leanformer.train.feeds.batches import TrainingSet

STRATEGIES = ("top", "bottom", "symmetric", "alternate", "odd_alternate", "contribution")


@dataclass(frozen=True)
class LayerDrop(Make):
    """Remove layers of the artifact; nothing is trained."""

    drop: int = 2  # number of layers to remove
    strategy: str = "top"  # "top", "bottom", "symmetric" (the middle), "alternate", "odd_alternate" or "contribution"
    texts: int = 512  # for "contribution": number of training texts, sampled with the seed, to compare states on

    technique: ClassVar[str] = "compress.layer_drop"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"

    def __post_init__(self) -> None:
        self.at_least(1, "drop", "texts")
        self.one_of("strategy", STRATEGIES)
        super().__post_init__()

    def planned(self, shape: PlannedShape) -> PlannedShape | None:
        by_place = self.strategy != "contribution"
        gone = dropped("top" if not by_place else self.strategy, len(shape.layers), self.drop)
        layers = tuple(layer for i, layer in enumerate(shape.layers) if i not in gone)
        return replace(shape, layers=layers, exact=shape.exact and (by_place or len(set(shape.layers)) == 1))

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.compress.prune.scoring_set import open_for_pruning, scoring_set
        from leanformer.models.store import device_of, write_classifier
        from leanformer.models.surgery import keep_layers
        from leanformer.models.writing import TOKENIZER
        from leanformer.train.judging import task_again

        torch.set_num_threads(context.threads)
        model = open_for_pruning(self.technique, artifact)
        depth = len(model.config.layers)
        result: dict[str, Any] = {}
        if self.strategy == "contribution":
            data = scoring_set(artifact, context, self.texts)
            similar = similarities(model.to(device_of(context.device)), data, context.seed)
            result["similarity"] = [round(value, 4) for value in similar.tolist()]
            gone = least_contributing(similar, self.drop)
        else:
            gone = dropped(self.strategy, depth, self.drop)
        result["dropped"] = sorted(layer + 1 for layer in gone)
        context.say(f"layers {', '.join(map(str, result['dropped']))} of {depth} are dropped ({self.strategy})")
        smaller = keep_layers(model.cpu(), [layer for layer in range(depth) if layer not in gone])
        entry = record(self, artifact) | {
            "seed": context.seed,
            "result": result,
            "shape": smaller.config.to_json()["layers"],
        }
        return write_classifier(
            smaller, output, task=task_again(smaller, artifact, context), tokenizer=artifact.file(TOKENIZER),
            max_tokens=artifact.max_tokens, history=[*artifact.history, entry],
        )  # fmt: skip


def dropped(strategy: str, depth: int, count: int) -> set[int]:
    """The layers (from 0) that a position-based strategy drops. Raises `RecipeError` if there are too few layers."""
    most = depth // 2 if strategy.endswith("alternate") else depth - 1
    if count > most:
        raise RecipeError(
            f"compress.layer_drop: drop {count}, but of {depth} layers {strategy!r} drops {most} at most\n"
            f"  remedy: drop: {most} or less"
        )
    first = {
        "top": depth - count,
        "bottom": 0,
        "symmetric": (depth - count + 1) // 2,
        "alternate": depth + 1 - 2 * count,
        "odd_alternate": depth - 2 * count,
    }[strategy]
    step = 2 if strategy.endswith("alternate") else 1
    return {first + step * i for i in range(count)}


def similarities(model: Classifier, data: TrainingSet, seed: int) -> Tensor:
    """Mean cosine similarity of each layer's input and output, `[layers]`: at first tokens if pooled, else at all."""
    import torch
    from torch.nn.functional import cosine_similarity

    from leanformer.compress.prune.scoring_set import batches_of

    first = model.config.head.pooling == "first"
    total, count = torch.zeros(len(model.config.layers), dtype=torch.float64), 0
    model.eval()
    with torch.inference_mode():
        for batch in batches_of(data, batch_size=32, seed=seed, device=next(model.parameters()).device):
            states = model.outputs(batch.ids, batch.mask, batch.types).encoded.hidden_states
            where = batch.mask.bool()
            chosen = [state[:, 0] if first else state[where] for state in states]
            for layer, (before, after) in enumerate(pairwise(chosen)):
                total[layer] += float(cosine_similarity(before, after, dim=-1).double().sum())
            count += len(chosen[0])
    return total / count


def least_contributing(similar: Tensor, count: int) -> set[int]:
    """The `count` layers (from 0) whose output is most similar to their input.

    Raises `RecipeError` if there are too few layers.
    """
    if count >= len(similar):
        raise RecipeError(
            f"compress.layer_drop: drop {count}, but the model has only {len(similar)} layers\n"
            f"  remedy: drop: {len(similar) - 1} or less"
        )
    return set(similar.argsort(descending=True, stable=True)[:count].tolist())
