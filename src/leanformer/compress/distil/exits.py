"""Early exits: heads behind earlier layers, which learn the answers of the last one.

What: a small head behind each of some layers (the mean of a text's tokens, dense, tanh, logits) is trained to give the
    answers of the model's own last layer; the model's weights stay as they are. export.exits then finds how sure an
    exit must be for its answer to stand, and the engine native lets such texts leave between two layers.
Paper: Liu et al. 2020, FastBERT (arXiv 2004.02178), on self-distillation; Xin et al. 2020, DeeBERT (arXiv 2004.12993).
Helps: models of many layers, texts of which many are easy. Without thresholds the model computes the same as before. No
    gradient goes through the layers, so an epoch takes about as long as answering the texts.
Hurts: layers that were trained for the last one alone say less in the middle, so a student of few layers gains little.
    The texts that leave nowhere get slower by the heads.
Needs: torch; a post-norm encoder with one label a text; a dev split; text of the task.
Example: {step: compress.exits, layers: [2, 4]}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from leanformer.artifact import Artifact
from leanformer.errors import DataError, LeanformerError, RecipeError
from leanformer.exits import MOST_EXITS
from leanformer.files import sha256_json
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record
from leanformer.train.fit_options import AdamWOptions, TextOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from leanformer.models.classifier import Classifier
    from leanformer.models.exits import ExitHeads
    from leanformer.task import Text
    from leanformer.tokenizer import Tokenizer


@dataclass(frozen=True)
class TrainExits(AdamWOptions, TextOptions, Make):
    """Train heads behind earlier layers on the answers of the last one; the layers stay as they are."""

    layers: tuple[int, ...] = ()  # behind how many layers each exit stands; default: behind every layer but the last
    temperature: float = 1.0  # of the soft targets
    epochs: int = 3  # passes over the training texts; the best on dev is kept
    learning_rate: float = 1e-3  # at its peak: only heads are trained

    technique: ClassVar[str] = "compress.exits"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"

    def __post_init__(self) -> None:
        rising = list(self.layers) == sorted(set(self.layers)) and all(layer > 0 for layer in self.layers)
        self.need(rising, f"layers are rising numbers from 1, not {list(self.layers)}")
        self.need(len(self.layers) <= MOST_EXITS, f"a model has at most {MOST_EXITS} exits, not {len(self.layers)}")
        self.above(0, "temperature")
        for part in ("adapter", "layer_drop", "checkpointing", "memory", "uncertainty"):
            self.need(not getattr(self, part), f"only heads are trained: leave `{part}` out")
        super().__post_init__()

    def planned(self, shape: PlannedShape) -> PlannedShape:
        return shape

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.models.exits import ExitHeads
        from leanformer.models.store import device_of, read_model, write_classifier
        from leanformer.models.writing import TOKENIZER
        from leanformer.tokenizer import Tokenizer
        from leanformer.train.fit import encoder_hash, fit_classifier
        from leanformer.train.hooks.unfreezing import Unfrozen
        from leanformer.train.objectives.exits import ExitDistillation
        from leanformer.train.pool import pooled

        if context.data.dev is None:
            raise DataError("exits need a dev split to choose the best epoch by", path=context.data.name)
        parts = [context.data.train, context.data.unlabelled if self.use_unlabelled else None]
        if not (given := [part for part in parts if part is not None]):
            raise DataError("nothing to train on: neither a train nor an unlabelled split", path=context.data.name)
        torch.manual_seed(context.seed)
        torch.set_num_threads(context.threads)
        model = read_model(artifact)
        check_exitable(model, artifact)
        layers = self.layers or default_layers(len(model.config.layers))
        if layers[-1] >= len(model.config.layers):
            raise RecipeError(
                f"{self.technique}: an exit behind layer {layers[-1]}, and {artifact.path} has "
                f"{len(model.config.layers)} layers, behind the last of which its own head stands\n"
                "  remedy: smaller numbers in `layers`"
            )
        pool = pooled(given, artifact.task)
        heads = ExitHeads(model, layers)
        tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)
        dev = context.data.dev.for_task(artifact.task)
        agreement = agreement_of(model, heads, dev.inputs, tokenizer, device_of(context.device))
        result = fit_classifier(
            model, ExitDistillation(heads, self.temperature), pool.inputs, pool.labels, dev, tokenizer,
            self.settings(context.seed, epochs=self.epochs_of(len(pool.inputs))), work=context.work,
            identity=sha256_json([record(self, artifact), encoder_hash(model), context.data.training_hash]),
            device=context.device, say=context.say, languages=pool.languages,
            score=lambda: float(np.mean(agreement())), hooks=[Unfrozen({"model": model}, ())],
        )  # fmt: skip
        found = [round(share, 4) for share in agreement()]
        said = [f"{100 * share:.1f} % behind layer {layer}" for layer, share in zip(layers, found, strict=True)]
        context.say(f"answers on dev that are the last layer's: {', '.join(said)}")
        entry = record(self, artifact) | {
            "seed": context.seed,
            "result": {"dev_agreement": list(result.scores), "best_epoch": result.best_epoch + 1},
            "exits": {"layers": list(layers), "agreement": found},
        }
        return write_classifier(
            model.cpu(), output, task=artifact.task, tokenizer=artifact.file(TOKENIZER),
            max_tokens=artifact.max_tokens, history=[*artifact.history, entry], exits=heads.to_exits(),
        )  # fmt: skip


def default_layers(count: int) -> tuple[int, ...]:
    """Where exits stand in a model of `count` layers: behind each but the last, or evenly spread if these are many."""
    inner = range(1, count)
    if len(inner) <= MOST_EXITS:
        return tuple(inner)
    return tuple(round(place) for place in np.linspace(1, count - 1, MOST_EXITS))


def check_exitable(model: Classifier, artifact: Artifact) -> None:
    """Raise `LeanformerError` for a model that can have no exits."""
    from leanformer.answers.forms import form_of
    from leanformer.answers.long_texts import windowed_of
    from leanformer.inputs.kinds import input_of
    from leanformer.models.heads import PooledHead

    why = ""
    if not form_of(artifact.task).exclusive or input_of(artifact.task).several:
        why = f"a task of kind {artifact.task.kind!r} has no single label of which an exit could be sure"
    elif windowed_of(artifact.task) is not None:
        why = "it reads long texts in windows, each of which would leave on its own"
    elif model.config.norm_first:
        why = "the layers of a pre-norm encoder give sums that no head between them can read"
    elif not isinstance(model.head, PooledHead):
        why = "it has no head for whole texts"
    elif len(model.config.layers) < 2:
        why = "it has one layer, behind which the model's own head stands"
    if why:
        raise LeanformerError(
            f"{artifact.path}: no early exits: {why}\n  remedy: leave compress.exits out, or put a cascade in its place"
        )


def agreement_of(
    model: Classifier, heads: ExitHeads, texts: Sequence[Text], tokenizer: Tokenizer, device: torch.device
) -> Callable[[], list[float]]:
    """A function for the share of the texts on which each exit gives the last layer's answer, with current heads."""
    from leanformer.models.exits import AllAnswers
    from leanformer.models.scoring import score_rows

    rows, every = tokenizer.encode(texts), AllAnswers(model, heads)

    def agreement() -> list[float]:
        every.eval()
        values = score_rows(every, rows, padding_id=model.config.padding_id, device=device)
        answers = values.reshape(len(rows), len(heads.layers) + 1, -1).argmax(axis=2)
        return [float(share) for share in (answers[:, :-1] == answers[:, -1:]).mean(axis=0)]

    return agreement
