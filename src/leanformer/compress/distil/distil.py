"""Knowledge distillation into a smaller student of the same architecture.

What: trains a student with fewer layers, heads or units to match the teacher's probabilities on labelled and
    unlabelled text; optionally also its hidden states and attention.
Paper: Hinton, Vinyals and Dean 2015 (arXiv 1503.02531); Kim and Hassan 2020, FastFormers (arXiv 2010.13382); Jiao et
    al. 2020, TinyBERT (arXiv 1909.10351), for the scores, the even map, the shared projection and copies of texts.
Helps: nearly always; most when unlabelled text of the same kind is available and a few layers are enough.
Hurts: with two classes the teacher's probabilities say little more than its labels. Far below a third of the teacher's
    layers, quality falls quickly.
Needs: torch; the fine-tuned teacher; text of the task. Labels only if `hard` is above 0.
Example: {step: compress.distil, layers: 3, epochs: 3}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from leanformer.answers.long_texts import windowed_of
from leanformer.artifact import Artifact
from leanformer.compress.distil.architecture import Architecture
from leanformer.compress.distil.texts import DistilledTexts
from leanformer.errors import DataError, RecipeError
from leanformer.files import sha256_file, sha256_json
from leanformer.formats import format_of
from leanformer.options import later
from leanformer.step import Context, Make, record
from leanformer.train.fit_options import AdamWOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from leanformer.data.examples import Examples
    from leanformer.models.classifier import Classifier
    from leanformer.tokenizer import Tokenizer
    from leanformer.train.objectives.distillation import Distillation
    from leanformer.train.online_teacher import OnlineTeacher
    from leanformer.train.pool import TextPool
    from leanformer.train.teacher_outputs import TeacherOutputs


@dataclass(frozen=True)
class Distil(AdamWOptions, DistilledTexts, Architecture, Make):
    """Distil the artifact `teacher` into a student cut from the input artifact."""

    temperature: float = 1.0  # of the soft targets
    logit_loss: str = "kl"  # "kl" between soft targets, or "mse" of raw logits (half the squared distance)
    hard: float = 0.0  # share of hard-label cross-entropy; 1 trains without the teacher, as a control
    soft_weight: float = 1.0  # weight of the loss on the teacher's answers; 0: follow its inner states alone
    hidden_weight: float = 0.0  # weight of the hidden-state loss
    hidden_kind: str = "mse"  # "mse" or "cosine"
    hidden_map: tuple[tuple[int, int], ...] | None = None  # (student, teacher) states, 0 = embeddings; None: both ends
    projection: bool = False  # learn a map between unequal widths, or numbers of heads, for the inner losses
    attention_weight: float = 0.0  # weight of the attention loss
    attention_map: tuple[tuple[int, int], ...] | None = None  # (student, teacher) layers from 0; None: even
    attention_kind: str = "cosine"  # "mse" or "cosine"; or "scores", before the softmax (TinyBERT)
    inner_layers: int | None = None  # instead of both maps: this many layers from the top, one to one
    layer_map: str | None = later()  # instead of both maps: "even", all layers and the embeddings (TinyBERT)
    shared_projection: bool | None = later()  # with `projection`: one map of hidden states for all layers (TinyBERT)

    technique: ClassVar[str] = "compress.distil"
    consumes: ClassVar[tuple[str, ...]] = ("encoder", "transformers")
    produces: ClassVar[str] = "encoder"
    trains: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.share("hard")
        self.above(0, "temperature")
        self.at_least(0, "soft_weight", "hidden_weight", "attention_weight")
        self.at_least(1, "inner_layers")
        self.need(not self.copies or self.hard < 1, "copies have no labels, and hard: 1 learns from nothing else")
        others = self.copies or self.hidden_weight or self.attention_weight
        self.need(
            self.teacher_answers is None or not others,
            "teacher_answers are answers alone, to the rows that they name; copies and inner states need a model\n"
            "  remedy: leave copies, hidden_weight and attention_weight out, or teacher_answers",
        )
        self.one_of("logit_loss", ("kl", "mse"))
        self.one_of("hidden_kind", ("mse", "cosine"))
        self.one_of("attention_kind", ("mse", "cosine", "scores"))
        self.one_of("layer_map", ("even",))
        inner = self.hidden_weight > 0 or self.attention_weight > 0
        learns = self.soft_weight > 0 or self.hard > 0 or inner
        self.need(learns, "every loss has the weight 0; there is nothing to learn")
        weights = (self.soft_weight * (1 - self.hard), self.hard, self.hidden_weight, self.attention_weight)
        self.need(
            not self.uncertainty or sum(weight > 0 for weight in weights) > 1,
            "uncertainty weighs several losses against each other, and one alone has a weight here\n"
            "  remedy: hidden_weight, attention_weight or hard above 0, or leave `uncertainty` out",
        )
        maps = [self.hidden_map is not None or self.attention_map is not None, self.inner_layers, self.layer_map]
        self.need(sum(map(bool, maps)) < 2, "give `inner_layers`, `layer_map` or maps, not both")
        self.need(self.projection or not self.shared_projection, "shared_projection needs `projection: true`")
        super().__post_init__()

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.compress.distil.student import LayerTrial, StudentShape, cut_student
        from leanformer.models.store import write_classifier
        from leanformer.models.writing import TOKENIZER
        from leanformer.tokenizer import Tokenizer
        from leanformer.train.fit import dev_result, encoder_hash, fit_classifier
        from leanformer.train.given_answers import read_answers
        from leanformer.train.pool import pooled
        from leanformer.train.rows import encode
        from leanformer.train.teacher_outputs import by_logits, teacher_outputs

        teacher = context.artifacts["teacher"]
        if context.data.dev is None or not context.data.dev.is_labelled:
            raise DataError("distillation needs a dev split to choose the best epoch by", path=context.data.name)
        if self.hard > 0 and artifact.task.transitions is not None:
            raise RecipeError(
                "compress.distil: hard labels are learnt word by word here, and the model that this step is given has "
                "learnt which tag follows which (a CRF), which its students keep\n"
                "  remedy: hard: 0, so that they follow its logits; or compress.bilstm with crf: true"
            )
        given = None
        if self.teacher_answers is not None:
            given = read_answers(Path(self.teacher_answers), context.data, context.say)
        pool = pooled([given.examples], artifact.task) if given else self._texts(context, artifact)
        texts, labels, languages = pool.inputs, pool.labels, pool.languages
        dev = context.data.dev.for_task(artifact.task)
        torch.manual_seed(context.seed)
        torch.set_num_threads(context.threads)
        layers, hidden = self.depth_and_width
        shape = StudentShape(layers=layers, heads=self.heads, ffn=self.ffn, hidden=hidden, start=self.start)
        drawn = np.random.default_rng(context.seed).permutation(len(texts))[: self.trial_texts]
        trial = LayerTrial(tuple(texts[i] for i in drawn), dev, self.learning_rate)
        student, tokenizer_path, tokens = cut_student(shape, artifact, trial, context)
        torch.manual_seed(context.seed)  # so that layer trials affect only the choice of layers
        same_tokens = sha256_file(tokenizer_path) == sha256_file(teacher.file(TOKENIZER))
        if windowed_of(artifact.task) is not None:
            same_tokens = same_tokens and tokens == teacher.max_tokens  # otherwise windows would differ
        hidden_map, attention_map = self._maps(student, teacher, same_tokens)
        online = self._online(teacher, context)
        outputs = by_logits(given.logits(artifact.task)) if given else teacher_outputs(
            teacher, texts, cache=context.cache, device=context.device, say=context.say,
            hidden=() if online else sorted({theirs for _, theirs in hidden_map}),
            attention=() if online else sorted({theirs for _, theirs in attention_map}),
        )  # fmt: skip
        encoded = encode(Tokenizer(tokenizer_path, tokens), artifact.task, texts)
        outputs = replace(outputs, logits=encoded.of_rows(outputs.logits))
        objective = self._objective(student, outputs, online, hidden_map, attention_map, artifact.task.answer)
        if self.freeze_embeddings:
            student.encoder.embeddings.word.requires_grad_(False)
        settings = self.settings(context.seed, epochs=self.epochs_of(encoded.examples))
        known = [outputs.logits.tolist()] if given else []
        identity = sha256_json([record(self, artifact), encoder_hash(student), context.data.training_hash, *known])
        result = fit_classifier(
            student, objective, texts, labels, dev, Tokenizer(tokenizer_path, tokens), settings,
            work=context.work, identity=identity, device=context.device, say=context.say, languages=languages,
            score=self._inner_score(student, objective, dev, Tokenizer(tokenizer_path, tokens), context),
        )  # fmt: skip
        entry = record(self, artifact) | {
            "seed": context.seed,
            "result": self._result(dev_result(result, result.task)),
            "shape": student.config.to_json()["layers"],
        }
        return write_classifier(
            student,
            output,
            task=result.task,
            tokenizer=tokenizer_path,
            max_tokens=tokens,
            history=[*artifact.history, entry],
        )

    def _texts(self, context: Context, artifact: Artifact) -> TextPool:
        """The training texts. If labels alone are learnt, unlabelled ones are of no use."""
        splits = self.splits(context.data, unlabelled=self.hard < 1)
        if self.hard > 0 and not any(split.is_labelled for split in splits):
            raise RecipeError("compress.distil: hard is above 0, but no training text has a label")
        return self.pool(splits, artifact, context)

    def _result(self, scores: dict[str, Any]) -> dict[str, Any]:
        """The scores for the history: the dev figure per epoch, or the dev loss if the figure was not computed."""
        if self.soft_weight > 0 or self.hard > 0:
            return scores
        best = scores.pop("best_epoch")
        (values,) = scores.values()
        return {"dev_loss": [-value for value in values], "best_epoch": best}

    def _inner_score(
        self, student: Classifier, objective: Distillation, dev: Examples, tokenizer: Tokenizer, context: Context
    ) -> Callable[[], float] | None:
        """Minus the dev loss if answers are not trained, so that the dev figure means nothing; otherwise None."""
        if self.soft_weight > 0 or self.hard > 0:
            return None
        from leanformer.train.judging import inner_score

        return inner_score(student, objective, dev, tokenizer, context, self.token_budget)

    def _maps(
        self, student: Classifier, teacher: Artifact, same_tokens: bool
    ) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """The hidden-state and attention maps, validated; empty if their loss is off."""
        if not (self.hidden_weight or self.attention_weight):
            return (), ()
        from leanformer.models.store import read_model
        from leanformer.train.objectives.distillation import (
            check_maps,
            default_hidden_map,
            even_attention_map,
            even_maps,
            last_maps,
        )

        if not format_of(teacher).layers or not same_tokens:
            raise RecipeError(
                "hidden-state and attention losses compare tokens one by one: they need a teacher of a mapped family "
                "and the same tokenizer\n  remedy: set hidden_weight and attention_weight to 0; or, where the "
                "vocabulary was trimmed, move compress.trim_vocabulary behind compress.distil"
            )
        ours, theirs = student.config, read_model(teacher).config
        if self.inner_layers is not None or self.layer_map is not None:
            if self.inner_layers is None:
                pairs = even_maps(ours, theirs)
            else:
                pairs = last_maps(ours, theirs, self.inner_layers)
            hidden, attention = (
                pair if weight else ()
                for pair, weight in zip(pairs, (self.hidden_weight, self.attention_weight), strict=True)
            )
            check_maps(ours, theirs, hidden, attention, projection=self.projection)
            return hidden, attention
        hidden = (self.hidden_map or default_hidden_map(ours, theirs)) if self.hidden_weight else ()
        attention = (self.attention_map or even_attention_map(ours, theirs)) if self.attention_weight else ()
        check_maps(ours, theirs, hidden, attention, projection=self.projection)
        return hidden, attention

    def _online(self, teacher: Artifact, context: Context) -> OnlineTeacher | None:
        """The teacher to run inside the steps, for scores before the softmax; None if its outputs are stored."""
        if not self.attention_weight or self.attention_kind != "scores":
            return None
        from leanformer.models.store import device_of, read_model
        from leanformer.train.online_teacher import OnlineTeacher

        return OnlineTeacher(read_model(teacher), device_of(context.device))

    def _objective(
        self,
        student: Classifier,
        outputs: TeacherOutputs,
        online: OnlineTeacher | None,
        hidden_map: tuple[tuple[int, int], ...],
        attention_map: tuple[tuple[int, int], ...],
        answer: str,
    ) -> Distillation:
        from torch import nn

        from leanformer.train.objectives.distillation import Distillation, LossWeights

        projections: nn.ModuleList | nn.Linear | None = None
        if hidden_map and self.projection:
            width = online.model.config.hidden if online else next(iter(outputs.hidden.values())).shape[1]
            if self.shared_projection:
                projections = nn.Linear(student.config.hidden, width)
            else:
                projections = nn.ModuleList(nn.Linear(student.config.hidden, width) for _ in hidden_map)
        numbers = outputs.heads
        if online:
            numbers = {theirs: online.model.config.layers[theirs].heads for _, theirs in attention_map}
        heads = None
        if any(student.config.layers[ours].heads != numbers[theirs] for ours, theirs in attention_map):
            heads = nn.ModuleList(
                nn.Linear(student.config.layers[ours].heads, numbers[theirs]) for ours, theirs in attention_map
            )
        weights = LossWeights(
            self.temperature, self.hard, self.hidden_weight, self.attention_weight, self.hidden_kind, self.logit_loss,
            self.attention_kind, self.soft_weight,
        )  # fmt: skip
        return Distillation(
            outputs, weights, online=online, answer=answer, hidden_map=hidden_map, attention_map=attention_map,
            projections=projections, head_projections=heads,
        )  # fmt: skip
