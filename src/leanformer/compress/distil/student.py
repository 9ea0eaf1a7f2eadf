"""The untrained student: cut out of a larger classifier, or newly initialised at another width."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leanformer.artifact import Artifact
from leanformer.compress.distil.try_layers import try_layers
from leanformer.data.examples import Examples
from leanformer.errors import RecipeError
from leanformer.formats import format_of
from leanformer.models import surgery
from leanformer.models.classifier import Classifier
from leanformer.models.store import read_model, start_classifier
from leanformer.models.writing import TOKENIZER
from leanformer.step import Context
from leanformer.task import Text
from leanformer.tokenizer import Tokenizer


@dataclass(frozen=True)
class StudentShape:
    """The student's shape; see the options of `compress.distil`."""

    layers: int | tuple[int, ...] | None
    heads: int | None = None
    ffn: int | None = None
    hidden: int | None = None
    start: str | None = None


@dataclass(frozen=True)
class LayerTrial:
    """Data and settings for layer trials: training texts, the dev split for scoring, the learning rate."""

    texts: tuple[Text, ...]
    dev: Examples
    learning_rate: float


def cut_student(
    shape: StudentShape, artifact: Artifact, trial: LayerTrial, context: Context
) -> tuple[Classifier, Path, int]:
    """Return the student, its tokenizer file, and the maximum input length in tokens.

    Raises `RecipeError` if the shape is impossible.
    """
    if shape.start is not None:
        source, tokenizer, _, positions = start_classifier(shape.start, artifact.task)
        tokens = min(artifact.max_tokens, positions)
    elif format_of(artifact).layers:
        source, tokenizer, tokens = read_model(artifact), artifact.file(TOKENIZER), artifact.max_tokens
    else:
        raise RecipeError(
            "the teacher's family is not mapped, so no student can be cut out of it\n"
            "  remedy: name an encoder of a mapped family to start from: --set STEP.start=ENCODER "
            "(in a recipe, compress.distil with start: ENCODER)"
        )
    if shape.hidden is not None and shape.hidden != source.config.hidden:
        return _fresh(shape, shape.hidden, source), tokenizer, tokens
    student = surgery.keep_layers(source, _kept_layers(shape, source, trial, Tokenizer(tokenizer, tokens), context))
    if shape.heads is not None or shape.ffn is not None:
        student = _narrowed(shape, student)
    return student, tokenizer, tokens


def _fresh(shape: StudentShape, hidden: int, source: Classifier) -> Classifier:
    heads = shape.heads or source.config.layers[0].heads
    if hidden % heads:
        raise RecipeError(f"compress.distil: hidden {hidden} is not a multiple of {heads} heads; set `heads`")
    assert isinstance(shape.layers, int)
    config = surgery.resized(
        source.config, hidden=hidden, heads=heads, ffn=shape.ffn or 4 * hidden, layers=shape.layers
    )
    return surgery.fresh_with_reduced_embeddings(config, source)


def _kept_layers(
    shape: StudentShape, source: Classifier, trial: LayerTrial, tokenizer: Tokenizer, context: Context
) -> tuple[int, ...]:
    """The layers to keep, from 0."""
    depth = len(source.config.layers)
    if shape.layers is None:
        return tuple(range(depth))
    if not isinstance(shape.layers, int):
        kept = tuple(i - 1 for i in shape.layers)
        if not kept or any(not 0 <= i < depth for i in kept) or list(kept) != sorted(set(kept)):
            raise RecipeError(f"compress.distil: layers {list(shape.layers)} are not rising numbers from 1 to {depth}")
        return kept
    if shape.layers > depth:
        raise RecipeError(f"compress.distil: layers {shape.layers}, but the model has only {depth}")
    if shape.start is not None:
        # An encoder without fine-tuning has no answers to compare: take evenly spaced layers, including the last.
        return tuple(round((i + 1) * depth / shape.layers) - 1 for i in range(shape.layers))
    return try_layers(
        source, shape.layers, texts=trial.texts, dev=trial.dev, tokenizer=tokenizer, context=context,
        learning_rate=trial.learning_rate,
    )  # fmt: skip


def _narrowed(shape: StudentShape, student: Classifier) -> Classifier:
    layers = student.config.layers
    if any((shape.heads or 1) > layer.heads or (shape.ffn or 1) > layer.ffn for layer in layers):
        raise RecipeError("compress.distil: heads and ffn can only shrink; give `hidden` for another shape")
    return surgery.narrow(
        student,
        [surgery.largest_heads(student, i, shape.heads or layer.heads) for i, layer in enumerate(layers)],
        [surgery.largest_units(student, i, shape.ffn or layer.ffn) for i, layer in enumerate(layers)],
    )
