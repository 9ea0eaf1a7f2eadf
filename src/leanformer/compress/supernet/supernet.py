"""One model that contains many smaller ones, trained together.

What: attention heads and feed-forward units are put in the order of their importance, scored on training texts. Then
    the model is distilled from the teacher together with its members: parts with fewer layers, and with only the first
    heads and units of each. Every step trains the largest member, the smallest and some in between. compress.extract
    takes a member out.
Paper: Hou et al. 2020, DynaBERT (arXiv 2004.04037); the members of a step are those of Yu and Huang 2019 (arXiv
    1903.05134).
Helps: when models of several sizes are wanted, or the size is not known yet: one training instead of one per size.
Hurts: each step costs as much as two to three steps of a single student. A student that is trained alone for as long
    may be better at its one size.
Needs: torch; the fine-tuned teacher, of a mapped family if `hidden_weight` is above 0; a dev split; text of the task.
Example: {step: compress.supernet, widths: [1.0, 0.5], depths: [1.0, 0.5], epochs: 3}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from leanformer.artifact import Artifact
from leanformer.errors import DataError, RecipeError
from leanformer.files import sha256_json
from leanformer.formats import format_of
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record
from leanformer.train.fit_options import AdamWOptions, TextOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leanformer.compress.supernet.sandwich import Members
    from leanformer.data.examples import Examples
    from leanformer.models.classifier import Classifier
    from leanformer.models.subnet import Member
    from leanformer.tokenizer import Tokenizer
    from leanformer.train.pool import TextPool


@dataclass(frozen=True)
class Supernet(AdamWOptions, TextOptions, Make):
    """Distil the artifact `teacher` into the input artifact and all its members at once."""

    widths: tuple[float, ...] = (1.0, 0.75, 0.5, 0.25)  # shares of heads and units that members have
    depths: tuple[float, ...] = (1.0, 0.67, 0.5, 0.33)  # shares of the layers that members have
    between: int = 1  # members per step besides the largest and the smallest, drawn by the seed
    depth_from: float = 0.3  # share of the steps in which members have all layers; after it, fewer as well
    temperature: float = 1.0  # of the soft targets
    hidden_weight: float = 0.1  # weight of the squared distance of hidden states from the teacher's; 0: logits alone
    scored_texts: int = 2048  # training texts, drawn by the seed, on which heads and units are scored

    technique: ClassVar[str] = "compress.supernet"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"
    trains: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("widths", "depths"):
            shares = getattr(self, name)
            well_formed = bool(shares) and all(0 < share <= 1 for share in shares) and 1.0 in shares
            self.need(well_formed, f"{name} are shares above 0 and up to 1, with 1 among them, not {list(shares)}")
        self.at_least(0, "between", "hidden_weight")
        self.at_least(1, "scored_texts")
        self.above(0, "temperature")
        self.share_below_one("depth_from")
        for part in ("adapter", "layer_drop", "checkpointing", "memory"):
            self.need(not getattr(self, part), f"members run with the weights alone: leave `{part}` out")
        super().__post_init__()

    def planned(self, shape: PlannedShape) -> PlannedShape:
        return shape

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.compress.prune.scoring_set import open_for_pruning
        from leanformer.compress.supernet.sandwich import Sandwich
        from leanformer.models.store import write_classifier
        from leanformer.models.writing import TOKENIZER
        from leanformer.tokenizer import Tokenizer
        from leanformer.train.fit import dev_result, encoder_hash, fit_classifier

        if context.data.dev is None or not context.data.dev.is_labelled:
            raise DataError("a supernet needs a dev split to choose the best epoch by", path=context.data.name)
        torch.manual_seed(context.seed)
        torch.set_num_threads(context.threads)
        pool = self._pool(context, artifact)
        model = self._rewired(open_for_pruning(self.technique, artifact), artifact, context)
        members = self.members(model)
        tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)
        dev = context.data.dev.for_task(artifact.task)
        objective = self._objective(members, artifact, context, pool, tokenizer)
        settings = self.settings(context.seed, epochs=self.epochs_of(len(pool.inputs)))
        result = fit_classifier(
            model, objective, pool.inputs, pool.labels, dev, tokenizer, settings, work=context.work,
            identity=sha256_json([record(self, artifact), encoder_hash(model), context.data.training_hash]),
            device=context.device,
            say=context.say, languages=pool.languages,
            score=_score(model, (members[0][0], members[-1][-1]), dev, tokenizer, context.device),
            hooks=[
                Sandwich(objective, members, between=self.between, depth_from=self.depth_from, seed=context.seed)
            ],
        )  # fmt: skip
        entry = record(self, artifact) | {
            "seed": context.seed,
            "result": dev_result(result, result.task),
            "shape": model.config.to_json()["layers"],
        }
        return write_classifier(
            model, output, task=result.task, tokenizer=artifact.file(TOKENIZER), max_tokens=artifact.max_tokens,
            history=[*artifact.history, entry],
        )  # fmt: skip

    def members(self, model: Classifier) -> list[list[Member]]:
        """The members by depth, then by width, from the largest."""
        from leanformer.models.subnet import member_of

        widths, depths = (sorted(set(shares), reverse=True) for shares in (self.widths, self.depths))
        return [[member_of(model.config, depth, width) for width in widths] for depth in depths]

    def _pool(self, context: Context, artifact: Artifact) -> TextPool:
        from leanformer.train.pool import pooled

        parts = [context.data.train, context.data.unlabelled if self.use_unlabelled else None]
        if not (given := [part for part in parts if part is not None]):
            raise DataError("nothing to distil on: neither a train nor an unlabelled split", path=context.data.name)
        return pooled(given, artifact.task)

    def _rewired(self, model: Classifier, artifact: Artifact, context: Context) -> Classifier:
        """The same function with each layer's heads and units in the order of importance."""
        from leanformer.compress.prune.importance import first_order_scores, row_losses
        from leanformer.compress.prune.prune import best
        from leanformer.compress.prune.scoring_set import batches_of, scoring_set
        from leanformer.models.store import device_of
        from leanformer.models.surgery import narrow

        device = device_of(context.device)
        data = scoring_set(artifact, context, self.scored_texts)
        batches = batches_of(data, batch_size=32, seed=context.seed, device=device)
        scores = first_order_scores(model.to(device), batches, row_losses(artifact.task.answer))
        heads, units = ([best(score, len(score)) for score in kind] for kind in (scores.heads, scores.units))
        return narrow(model.cpu(), heads, units)

    def _objective(
        self,
        members: Sequence[Sequence[Member]],
        artifact: Artifact,
        context: Context,
        pool: TextPool,
        tokenizer: Tokenizer,
    ) -> Members:
        from leanformer.compress.supernet.sandwich import Members
        from leanformer.train.objectives.distillation import Distillation, LossWeights
        from leanformer.train.rows import encode
        from leanformer.train.teacher_outputs import teacher_outputs

        teacher = context.artifacts["teacher"]
        depths = [len(of_depth[0].layers) for of_depth in members]
        maps: dict[int, tuple[tuple[int, int], ...]] = dict.fromkeys(depths, ())
        if self.hidden_weight:
            count = _teacher_depth(teacher, artifact)
            maps = {depth: tuple((i, i * count // depth) for i in range(depth + 1)) for depth in depths}
        states = sorted({theirs for pairs in maps.values() for _, theirs in pairs})
        outputs = teacher_outputs(
            teacher, pool.inputs, cache=context.cache, hidden=states, device=context.device, say=context.say
        )
        encoded = encode(tokenizer, artifact.task, pool.inputs)
        outputs = replace(outputs, logits=encoded.of_rows(outputs.logits))
        weights = LossWeights(self.temperature, hidden=self.hidden_weight)
        losses = {
            depth: Distillation(outputs, weights, answer=artifact.task.answer, hidden_map=maps[depth])
            for depth in depths
        }
        return Members(losses, (members[0][0], members[-1][-1]))


def _score(
    model: Classifier, ends: Sequence[Member], dev: Examples, tokenizer: Tokenizer, device: str
) -> Callable[[], float]:
    """The mean dev figure of the largest and the smallest member."""
    from leanformer.models.store import device_of
    from leanformer.models.subnet import extracted
    from leanformer.train.judging import Judge

    where = device_of(device)
    return lambda: float(
        np.mean([Judge(extracted(model, member).to(where), dev, tokenizer, where).figure() for member in ends])
    )


def _teacher_depth(teacher: Artifact, artifact: Artifact) -> int:
    """The teacher's number of layers. Raises `RecipeError` if its states cannot be compared with the model's."""
    from leanformer.models.store import read_model
    from leanformer.models.writing import TOKENIZER

    same = format_of(teacher).layers and teacher.max_tokens == artifact.max_tokens
    if same and teacher.file(TOKENIZER).read_bytes() == artifact.file(TOKENIZER).read_bytes():
        theirs = read_model(teacher).config
        if theirs.hidden == read_model(artifact).config.hidden:
            return len(theirs.layers)
    raise RecipeError(
        "compress.supernet: hidden states are compared token by token, for which the teacher must be of a mapped "
        "family, with the tokenizer, the longest input and the width of the model\n  remedy: hidden_weight: 0"
    )
