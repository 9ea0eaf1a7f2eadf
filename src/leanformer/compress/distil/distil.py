"""Knowledge distillation into a smaller student of the same kind.

What: a student with fewer layers, heads or units is trained to give the teacher's probabilities, on labelled and
    unlabelled text alike; if asked, also its hidden states and attention.
Paper: Hinton, Vinyals and Dean 2015 (arXiv 1503.02531); Kim and Hassan 2020, FastFormers (arXiv 2010.13382).
Helps: nearly always; most where unlabelled text of the same kind is at hand and a few layers will do.
Hurts: with two classes the teacher's probabilities say little more than its labels; far below a third of the
    teacher's layers quality falls quickly.
Needs: torch; the fine-tuned teacher; the task's own text. Labels only if `hard` is above 0.
Example: {step: compress.distil, layers: 3, epochs: 3}
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from leanformer.artifact import Artifact
from leanformer.errors import DataError, RecipeError
from leanformer.files import sha256_file, sha256_json
from leanformer.formats import format_of
from leanformer.step import Context, record
from leanformer.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from leanformer.data.examples import Examples
    from leanformer.models.classifier import Classifier
    from leanformer.tokenizer import Tokenizer
    from leanformer.train.objectives.distillation import Distillation
    from leanformer.train.pool import Pool
    from leanformer.train.teacher_outputs import TeacherOutputs


@dataclass(frozen=True)
class Distil:
    """Distil the artifact `teacher` into a student cut from the artifact that this step is given."""

    layers: int | tuple[int, ...] | None = 3  # so many, found by trial; or exactly these, from 1; null keeps them all
    trial_texts: int = 3200  # training texts that a few candidate sets of layers are tried on; 0: evenly spread ones
    heads: int | None = None  # attention heads per layer; None keeps the teacher's
    ffn: int | None = None  # feed-forward units per layer; None keeps the teacher's
    hidden: int | None = None  # another residual width: the student then starts afresh, its word table by SVD
    shape: str | None = None  # layers and width in one, such as "4x312"; takes the place of `layers` and `hidden`
    start: str | None = None  # start from this checkpoint or artifact instead of the teacher's layers
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
    attention_kind: str = "cosine"  # "mse" or "cosine"
    inner_layers: int | None = None  # in place of both maps: so many layers from the top, one to one
    freeze_embeddings: bool = False  # leave the student's word table as it starts, bit for bit
    use_unlabelled: bool = True  # train on the unlabelled split too
    epochs: int = 3  # passes over the training texts; the best on dev is kept
    least_steps: int = 0  # more epochs than `epochs` where they would have fewer optimiser steps than this
    batch_size: int = 64  # texts per optimiser step
    language_temperature: float = 1.0  # above 1 languages, where they are known, are sampled more evenly
    learning_rate: float = 1e-4  # at its peak
    warmup: float = 0.06  # share of the steps in which the rate rises
    weight_decay: float = 0.01  # of AdamW, on matrices only
    token_budget: int = 8192  # most tokens per forward pass; larger steps are accumulated
    precision: str = "auto"  # "auto", "fp32" or "bf16"

    consumes: ClassVar[tuple[str, ...]] = ("encoder", "transformers")
    produces: ClassVar[str] = "encoder"
    reads_data: ClassVar[bool] = True
    trains: ClassVar[bool] = True
    paths: ClassVar[tuple[str, ...]] = ("start",)

    def __post_init__(self) -> None:
        def need(holds: bool, what: str) -> None:
            if not holds:
                raise RecipeError(f"compress.distil: {what}")

        need(0 <= self.hard <= 1, f"hard is a share from 0 to 1, not {self.hard}")
        need(0 <= self.warmup < 1, f"warmup is a share from 0 to below 1, not {self.warmup}")
        need(self.temperature > 0, f"temperature must be above 0, not {self.temperature}")
        need(self.logit_loss in ("kl", "mse"), f"logit_loss is 'kl' or 'mse', not {self.logit_loss!r}")
        need(self.hidden_kind in ("mse", "cosine"), f"hidden_kind is 'mse' or 'cosine', not {self.hidden_kind!r}")
        need(
            self.attention_kind in ("mse", "cosine"),
            f"attention_kind is 'mse' or 'cosine', not {self.attention_kind!r}",
        )
        inner = self.hidden_weight > 0 or self.attention_weight > 0
        need(self.soft_weight > 0 or self.hard > 0 or inner, "every loss has the weight 0; there is nothing to learn")
        both = self.hidden_map is not None or self.attention_map is not None
        need(self.inner_layers is None or not both, "give `inner_layers`, or maps, not both")
        need(self.precision in ("auto", "fp32", "bf16"), f"precision is auto, fp32 or bf16, not {self.precision!r}")
        need(self.language_temperature > 0, f"language_temperature is above 0, not {self.language_temperature}")
        need(self.learning_rate > 0, f"learning_rate must be above 0, not {self.learning_rate}")
        need(self.least_steps >= 0, f"least_steps must not be below 0, not {self.least_steps}")
        need(self.trial_texts >= 0, f"trial_texts must not be below 0, not {self.trial_texts}")
        for name in ("soft_weight", "hidden_weight", "attention_weight", "weight_decay"):
            need(getattr(self, name) >= 0, f"{name} must not be below 0, not {getattr(self, name)}")
        for name in ("epochs", "batch_size", "token_budget", "heads", "ffn", "hidden", "inner_layers"):
            value = getattr(self, name)
            need(value is None or value >= 1, f"{name} must be at least 1, not {value}")
        need(not isinstance(self.layers, int) or self.layers >= 1, f"layers must be at least 1, not {self.layers}")
        if self.shape is not None:
            need(self.hidden is None, "give `shape` or `hidden`, not both")
            need(
                re.fullmatch(r"[1-9]\d*x[1-9]\d*", self.shape) is not None, f"shape is LAYERSxWIDTH, not {self.shape!r}"
            )
        elif self.hidden is not None:
            need(isinstance(self.layers, int), "a student of another width starts afresh: `layers` is a number there")

    @property
    def _depth_and_width(self) -> tuple[int | tuple[int, ...] | None, int | None]:
        """`layers` and `hidden`, as given or as `shape` says."""
        if self.shape is None:
            return self.layers, self.hidden
        depth, width = self.shape.split("x")
        return int(depth), int(width)

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.compress.distil.student import Shape, Trial, cut_student
        from leanformer.models.store import write_classifier
        from leanformer.models.writing import TOKENIZER
        from leanformer.tokenizer import Tokenizer
        from leanformer.train.fit import dev_result, encoder_hash, fit_classifier
        from leanformer.train.loop import FitSettings
        from leanformer.train.rows import encode
        from leanformer.train.teacher_outputs import teacher_outputs

        teacher = context.artifacts["teacher"]
        if context.data.dev is None or not context.data.dev.is_labelled:
            raise DataError("distillation needs a dev split to choose the best epoch by", path=context.data.name)
        if self.hard > 0 and artifact.task.transitions is not None:
            raise RecipeError(
                "compress.distil: hard labels are learnt word by word here, and the model that this step is given has "
                "learnt which tag follows which (a CRF), which its students keep\n"
                "  remedy: hard: 0, so that they follow its logits; or compress.bilstm with crf: true"
            )
        pool = self._texts(context, artifact.task)
        texts, labels, languages = pool.inputs, pool.labels, pool.languages
        dev = context.data.dev.for_task(artifact.task)
        torch.manual_seed(context.seed)
        torch.set_num_threads(context.threads)
        layers, hidden = self._depth_and_width
        shape = Shape(layers=layers, heads=self.heads, ffn=self.ffn, hidden=hidden, start=self.start)
        drawn = np.random.default_rng(context.seed).permutation(len(texts))[: self.trial_texts]
        trial = Trial(tuple(texts[i] for i in drawn), dev, self.learning_rate)
        student, tokenizer_path, tokens = cut_student(shape, artifact, trial, context)
        torch.manual_seed(context.seed)  # so that a trial changes nothing but the choice
        same_tokens = sha256_file(tokenizer_path) == sha256_file(teacher.file(TOKENIZER))
        if artifact.task.answer == "tags":
            same_tokens = same_tokens and tokens == teacher.max_tokens  # or windows would not be the same
        hidden_map, attention_map = self._maps(student, teacher, same_tokens)
        outputs = teacher_outputs(
            teacher,
            texts,
            cache=context.cache,
            hidden=sorted({theirs for _, theirs in hidden_map}),
            attention=sorted({theirs for _, theirs in attention_map}),
            device=context.device,
            say=context.say,
        )
        encoded = encode(Tokenizer(tokenizer_path, tokens), artifact.task, texts)
        outputs = replace(outputs, logits=encoded.of_rows(outputs.logits))
        objective = self._objective(student, outputs, hidden_map, attention_map, artifact.task.answer)
        epochs = max(self.epochs, -(-self.least_steps // -(-len(encoded.rows) // self.batch_size)))
        if self.freeze_embeddings:
            student.encoder.embeddings.word.requires_grad_(False)
        settings = FitSettings(
            epochs=epochs, batch_size=self.batch_size, token_budget=self.token_budget,
            learning_rate=self.learning_rate, warmup=self.warmup, weight_decay=self.weight_decay,
            precision=self.precision, seed=context.seed, language_temperature=self.language_temperature,
        )  # fmt: skip
        identity = sha256_json(
            [record("compress.distil", self, artifact), encoder_hash(student), context.data.training_hash]
        )
        result = fit_classifier(
            student, objective, texts, labels, dev, Tokenizer(tokenizer_path, tokens), settings,
            work=context.work, identity=identity, device=context.device, say=context.say, languages=languages,
            score=self._inner_score(student, objective, dev, Tokenizer(tokenizer_path, tokens), context),
        )  # fmt: skip
        entry = record("compress.distil", self, artifact) | {
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

    def _texts(self, context: Context, task: Task) -> Pool:
        """The texts to train on, train then unlabelled."""
        from leanformer.train.pool import pooled

        data = context.data
        parts = [data.train] if data.train is not None else []
        if self.use_unlabelled and self.hard < 1 and data.unlabelled is not None:
            parts.append(data.unlabelled)
        if not parts:
            raise DataError("nothing to distil on: neither a train nor an unlabelled split", path=data.name)
        if self.hard > 0 and not any(part.is_labelled for part in parts):
            raise RecipeError("compress.distil: hard is above 0, but no training text has a label")
        return pooled(parts, task)

    def _result(self, scores: dict[str, Any]) -> dict[str, Any]:
        """What the history keeps: the dev figure of each epoch, or where that was not looked at the dev loss."""
        if self.soft_weight > 0 or self.hard > 0:
            return scores
        best = scores.pop("best_epoch")
        (values,) = scores.values()
        return {"dev_loss": [-one for one in values], "best_epoch": best}

    def _inner_score(
        self, student: Classifier, objective: Distillation, dev: Examples, tokenizer: Tokenizer, context: Context
    ) -> Callable[[], float] | None:
        """Minus the loss on dev, where answers play no part and the dev figure would say nothing; else None."""
        if self.soft_weight > 0 or self.hard > 0:
            return None
        from leanformer.train.inner_score import inner_score

        return inner_score(student, objective, dev, tokenizer, context, self.token_budget)

    def _maps(
        self, student: Classifier, teacher: Artifact, same_tokens: bool
    ) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """Hidden-state and attention maps, checked; empty where their loss is off."""
        if not (self.hidden_weight or self.attention_weight):
            return (), ()
        from leanformer.models.store import read_model
        from leanformer.train.objectives.distillation import (
            check_maps,
            default_hidden_map,
            even_attention_map,
            last_maps,
        )

        if not format_of(teacher).layers or not same_tokens:
            raise RecipeError(
                "hidden-state and attention losses compare tokens one by one: they need a teacher of a mapped family "
                "and the same tokenizer\n  remedy: set hidden_weight and attention_weight to 0; or, where the "
                "vocabulary was trimmed, move compress.trim_vocabulary behind compress.distil"
            )
        ours, theirs = student.config, read_model(teacher).config
        if self.inner_layers is not None:
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

    def _objective(
        self,
        student: Classifier,
        outputs: TeacherOutputs,
        hidden_map: tuple[tuple[int, int], ...],
        attention_map: tuple[tuple[int, int], ...],
        answer: str,
    ) -> Distillation:
        from torch import nn

        from leanformer.train.objectives.distillation import Distillation, LossWeights

        projections = None
        if hidden_map and self.projection:
            width = next(iter(outputs.hidden.values())).shape[1]
            projections = nn.ModuleList(nn.Linear(student.config.hidden, width) for _ in hidden_map)
        heads = None
        if any(student.config.layers[ours].heads != outputs.heads[theirs] for ours, theirs in attention_map):
            heads = nn.ModuleList(
                nn.Linear(student.config.layers[ours].heads, outputs.heads[theirs]) for ours, theirs in attention_map
            )
        weights = LossWeights(
            self.temperature, self.hard, self.hidden_weight, self.attention_weight, self.hidden_kind, self.logit_loss,
            self.attention_kind, self.soft_weight,
        )  # fmt: skip
        return Distillation(
            outputs, weights, answer=answer, hidden_map=hidden_map, attention_map=attention_map,
            projections=projections, head_projections=heads,
        )  # fmt: skip
