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

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from leanformer.artifact import Artifact
from leanformer.data.examples import Examples
from leanformer.errors import DataError, RecipeError
from leanformer.files import sha256_file, sha256_json
from leanformer.step import Context, record

if TYPE_CHECKING:
    from leanformer.models.classifier import Classifier
    from leanformer.train.objectives.distillation import Distillation
    from leanformer.train.teacher_outputs import TeacherOutputs


@dataclass(frozen=True)
class Distil:
    """Distil the artifact `teacher` into a student cut from the artifact that this step is given."""

    layers: int | tuple[int, ...] = 3  # keep so many, the best found on dev; or exactly these, 1 being the first
    heads: int | None = None  # attention heads per layer; None keeps the teacher's
    ffn: int | None = None  # feed-forward units per layer; None keeps the teacher's
    hidden: int | None = None  # another residual width: the student then starts afresh, its word table by SVD
    start: str | None = None  # start from this checkpoint or artifact instead of the teacher's layers
    temperature: float = 1.0  # of the soft targets
    hard: float = 0.0  # share of hard-label cross-entropy; 1 trains without the teacher, as a control
    hidden_weight: float = 0.0  # weight of the hidden-state loss
    hidden_kind: str = "mse"  # "mse" or "cosine"
    hidden_map: tuple[tuple[int, int], ...] | None = None  # (student, teacher) states, 0 = embeddings; None: both ends
    projection: bool = False  # learn a map between unequal widths for the hidden-state loss
    attention_weight: float = 0.0  # weight of the attention loss
    attention_map: tuple[tuple[int, int], ...] | None = None  # (student, teacher) layers from 0; None: even
    use_unlabelled: bool = True  # train on the unlabelled split too
    epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 1e-4
    warmup: float = 0.06
    weight_decay: float = 0.01
    token_budget: int = 8192
    precision: str = "auto"

    consumes: ClassVar[tuple[str, ...]] = ("encoder", "transformers")
    produces: ClassVar[str] = "encoder"
    reads_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.hard <= 1:
            raise RecipeError(f"compress.distil: hard is a share from 0 to 1, not {self.hard}")
        if self.temperature <= 0:
            raise RecipeError(f"compress.distil: temperature must be above 0, not {self.temperature}")
        if self.hidden_kind not in ("mse", "cosine"):
            raise RecipeError(f"compress.distil: hidden_kind is 'mse' or 'cosine', not {self.hidden_kind!r}")
        if self.epochs < 1 or self.batch_size < 1 or self.learning_rate <= 0:
            raise RecipeError("compress.distil: epochs, batch_size and learning_rate must be positive")
        if isinstance(self.layers, int) and self.layers < 1:
            raise RecipeError(f"compress.distil: layers must be at least 1, not {self.layers}")

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        from leanformer.models.store import TOKENIZER, write_classifier
        from leanformer.tokenizer import Tokenizer
        from leanformer.train.fine_tune import encoder_hash, fit_classifier
        from leanformer.train.loop import FitSettings
        from leanformer.train.teacher_outputs import teacher_outputs

        teacher = context.artifacts["teacher"]
        (texts, labels), dev = self._texts(context), context.data.dev
        if dev is None or dev.labels is None:
            raise DataError("distillation needs a dev split to choose the best epoch by", path=context.data.name)
        torch.manual_seed(context.seed)
        torch.set_num_threads(context.threads)
        student, tokenizer_path = self._student(artifact, dev, context)
        same_tokens = sha256_file(tokenizer_path) == sha256_file(teacher.file(TOKENIZER))
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
        objective = self._objective(student, outputs, hidden_map, attention_map)
        settings = FitSettings(
            epochs=self.epochs, batch_size=self.batch_size, token_budget=self.token_budget,
            learning_rate=self.learning_rate, warmup=self.warmup, weight_decay=self.weight_decay,
            precision=self.precision, seed=context.seed,
        )  # fmt: skip
        identity = sha256_json(
            [record("compress.distil", self, artifact), encoder_hash(student), context.data.training_hash]
        )
        result = fit_classifier(
            student, objective, texts, labels, dev, Tokenizer(tokenizer_path, artifact.max_tokens), settings,
            work=context.work, identity=identity, device=context.device, say=context.say,
        )  # fmt: skip
        entry = record("compress.distil", self, artifact) | {
            "seed": context.seed,
            "result": {"dev_accuracy": list(result.scores), "best_epoch": result.best_epoch + 1},
            "shape": [asdict(layer) for layer in student.config.layers],
        }
        return write_classifier(
            student,
            output,
            task=artifact.task,
            tokenizer=tokenizer_path,
            max_tokens=artifact.max_tokens,
            history=[*artifact.history, entry],
        )

    def _texts(self, context: Context) -> tuple[tuple[str, ...], np.ndarray]:
        """The texts to train on, train then unlabelled, and their labels, -1 where there is none."""
        from leanformer.train.fine_tune import labels_of

        data = context.data
        parts = [data.train] if data.train is not None else []
        if self.use_unlabelled and self.hard < 1 and data.unlabelled is not None:
            parts.append(data.unlabelled)
        if not parts:
            raise DataError("nothing to distil on: neither a train nor an unlabelled split", path=data.name)
        if self.hard > 0 and not any(part.is_labelled for part in parts):
            raise RecipeError("compress.distil: hard is above 0, but no training text has a label")
        texts = tuple(text for part in parts for text in part.texts)
        return texts, np.concatenate([labels_of(part) for part in parts])

    def _student(self, artifact: Artifact, dev: Examples, context: Context) -> tuple[Classifier, Path]:
        """The untrained student and the tokenizer file that goes with it."""
        from leanformer.compress.choose_layers import choose_layers
        from leanformer.models import surgery
        from leanformer.models.config import LayerShape
        from leanformer.models.store import TOKENIZER, read_model, start_classifier
        from leanformer.tokenizer import Tokenizer

        if self.start is not None:
            source, tokenizer_path, _, _ = start_classifier(self.start, artifact.task)
        elif artifact.format == "encoder":
            source, tokenizer_path = read_model(artifact), artifact.file(TOKENIZER)
        else:
            raise RecipeError(
                "the teacher's family is not mapped, so no student can be cut out of it\n"
                "  remedy: name an encoder of a mapped family to start from: --student-start ENCODER "
                "(in a recipe, compress.distil with start: ENCODER)"
            )
        if self.hidden is not None and self.hidden != source.config.hidden:
            depth = self.layers if isinstance(self.layers, int) else len(self.layers)
            heads = self.heads or source.config.layers[0].heads
            if self.hidden % heads:
                raise RecipeError(f"compress.distil: hidden {self.hidden} is not a multiple of {heads} heads")
            shape = LayerShape(heads=heads, ffn=self.ffn or 4 * self.hidden)
            config = replace(source.config, hidden=self.hidden, head_size=self.hidden // heads, layers=(shape,) * depth)
            return surgery.fresh_with_reduced_embeddings(config, source), tokenizer_path
        depth = len(source.config.layers)
        if isinstance(self.layers, int):
            if self.layers > depth:
                raise RecipeError(f"compress.distil: layers {self.layers}, but the model has only {depth}")
            rows = Tokenizer(tokenizer_path, artifact.max_tokens).encode(dev.texts[:512])
            if self.start is not None and self.start != str(artifact.path):
                # An encoder that was not fine-tuned has no answers to compare; take layers evenly, the last included.
                kept = tuple(round((i + 1) * depth / self.layers) - 1 for i in range(self.layers))
            else:
                kept = choose_layers(source, self.layers, rows, say=context.say)
        else:
            kept = tuple(i - 1 for i in self.layers)
            if any(not 0 <= i < depth for i in kept) or list(kept) != sorted(set(kept)):
                raise RecipeError(
                    f"compress.distil: layers {list(self.layers)} are not rising numbers from 1 to {depth}"
                )
        student = surgery.keep_layers(source, kept)
        if self.heads is not None or self.ffn is not None:
            shapes = student.config.layers
            if any((self.heads or 1) > s.heads or (self.ffn or 1) > s.ffn for s in shapes):
                raise RecipeError("compress.distil: heads and ffn can only shrink; give `hidden` for another shape")
            student = surgery.narrow(
                student,
                [surgery.largest_heads(student, i, self.heads or s.heads) for i, s in enumerate(shapes)],
                [surgery.largest_units(student, i, self.ffn or s.ffn) for i, s in enumerate(shapes)],
            )
        return student, tokenizer_path

    def _maps(
        self, student: Classifier, teacher: Artifact, same_tokens: bool
    ) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """Hidden-state and attention maps, checked; empty where their loss is off."""
        if not (self.hidden_weight or self.attention_weight):
            return (), ()
        from leanformer.models.store import read_model
        from leanformer.train.objectives.distillation import check_maps, default_hidden_map, even_attention_map

        if teacher.format != "encoder" or not same_tokens:
            raise RecipeError(
                "hidden-state and attention losses compare tokens one by one: they need a teacher of a mapped family "
                "and the same tokenizer\n  remedy: set hidden_weight and attention_weight to 0"
            )
        ours, theirs = student.config, read_model(teacher).config
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
    ) -> Distillation:
        from torch import nn

        from leanformer.train.objectives.distillation import Distillation, LossWeights

        projections = None
        if hidden_map and self.projection:
            width = next(iter(outputs.hidden.values())).shape[1]
            projections = nn.ModuleList(nn.Linear(student.config.hidden, width) for _ in hidden_map)
        weights = LossWeights(
            self.temperature, self.hard, self.hidden_weight, self.attention_weight, self.hidden_kind
        )  # fmt: skip
        return Distillation(
            outputs, weights, hidden_map=hidden_map, attention_map=attention_map, projections=projections
        )
