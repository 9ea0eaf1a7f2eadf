"""The encoder that pre-training begins with: layers of the teacher, or random weights."""

from __future__ import annotations

from dataclasses import replace

from leanformer.errors import RecipeError
from leanformer.models import surgery
from leanformer.models.classifier import Classifier
from leanformer.shapes.head import HeadShape


def first_student(
    teacher: Classifier,
    layers: int,
    hidden: int,
    *,
    heads: int | None,
    ffn: int | None,
    afresh: bool,
    vectors: int | None = None,
) -> tuple[Classifier, str]:
    """The untrained student, and where its weights come from, in words.

    With the teacher's widths it gets evenly spaced layers of the teacher, the last one among them. With other widths,
    more layers, or if `afresh`, it is random (the caller seeds torch), except for its word table: the teacher's,
    reduced by SVD. `vectors` is the width of its vectors if they are to be the teacher's; None: the student's own.

    Raises `RecipeError` if the width is not a multiple of the number of heads.
    """
    config = teacher.config
    depth, first = len(config.layers), config.layers[0]
    same = hidden == config.hidden and heads in (None, first.heads) and ffn in (None, first.ffn) and layers <= depth
    if same and not afresh:
        kept = [round((i + 1) * depth / layers) - 1 for i in range(layers)]
        return surgery.keep_layers(teacher, kept), f"layers {', '.join(str(i + 1) for i in kept)} of {depth}"
    heads = heads or first.heads
    if hidden % heads:
        possible = max(count for count in range(1, heads + 1) if hidden % count == 0)
        raise RecipeError(
            f"compress.pretrain: hidden {hidden} is not a multiple of {heads} heads\n  remedy: heads: {possible}"
        )
    wide = ffn or (first.ffn if hidden == config.hidden else 4 * hidden)
    shape = surgery.resized(config, hidden=hidden, heads=heads, ffn=wide, layers=layers)
    if vectors is not None and vectors != hidden:
        # A dense layer and a linear map bring the pooled vector to the teacher's width.
        shape = replace(shape, labels=vectors, head=HeadShape(pooling=config.head.pooling))
    return surgery.fresh_with_reduced_embeddings(shape, teacher), "random weights, word table by SVD"
