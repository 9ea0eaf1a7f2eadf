"""The texts used to score heads and units: drawn from train or from unlabelled text, never from dev or test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact
from leanformer.data.examples import Examples
from leanformer.errors import DataError, RecipeError
from leanformer.formats import format_of
from leanformer.models.classifier import Classifier
from leanformer.models.store import read_model
from leanformer.models.writing import TOKENIZER
from leanformer.step import Context
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import Batch, TrainingSet
from leanformer.train.feeds.by_length import ByLength
from leanformer.train.rows import encode, training_set
from leanformer.train.targets import labels_of
from leanformer.train.teacher_outputs import teacher_outputs


def open_for_pruning(name: str, artifact: Artifact) -> Classifier:
    """Open the artifact's model for step `name` to prune. Raises `RecipeError` for an unsupported format."""
    if not format_of(artifact).layers:
        raise RecipeError(
            f"{name}: {artifact.path}: format {artifact.format!r} has no heads and units that we know; only models of "
            "mapped families can be pruned\n"
            "  remedy: distil it into a student of a mapped family (compress.distil with start: ENCODER), prune that"
        )
    return read_model(artifact)


def scoring_set(artifact: Artifact, context: Context, texts: int) -> TrainingSet:
    """At most `texts` labelled rows: those of train, or unlabelled texts with labels sampled from a teacher's logits.

    Raises `DataError` if there is neither.
    """
    data = context.data
    tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)
    padding = read_model(artifact).config.padding_id
    if data.train is not None:
        chosen = _drawn(data.train, texts, context.seed)
        rows = encode(tokenizer, artifact.task, chosen.inputs)
        return training_set(rows, labels_of(chosen.for_task(artifact.task)), padding)
    if data.unlabelled is None:
        raise DataError(
            "pruning scores heads and units on training texts; there is neither a train nor an unlabelled split",
            path=data.name,
            remedy="give a train file, or texts without labels in a file named unlabelled",
        )
    chosen = _drawn(data.unlabelled, texts, context.seed)
    teacher = context.artifacts["teacher"]
    answers = teacher_outputs(teacher, chosen.inputs, cache=context.cache, device=context.device, say=context.say)
    generator, rows = np.random.default_rng(context.seed), encode(tokenizer, artifact.task, chosen.inputs)
    # In expectation over the sampled labels, the gradient is that of the soft loss, and the squared gradient is the
    # definition of the Fisher information. The soft loss itself has zero gradient if the pruned model is the teacher.
    # For
    # score outputs, the deviation of the samples is only a constant factor shared by all gradients.
    labels = form_of(artifact.task).draw(answers.logits, generator)
    return training_set(rows, labels, padding)


def _drawn(examples: Examples, count: int, seed: int) -> Examples:
    if len(examples) <= count:
        return examples
    return examples.select(sorted(np.random.default_rng(seed).permutation(len(examples))[:count].tolist()))


def batches_of(data: TrainingSet, *, batch_size: int, seed: int, device: torch.device) -> Iterator[Batch]:
    """Yield every row once, in batches of `batch_size` rows of similar length."""
    most = max(len(row) for row in data.rows) * (1 if data.counts is None else int(data.counts.max()))
    feed = ByLength(data, batch_size=batch_size, token_budget=batch_size * most, seed=seed)
    for rows in feed.steps(0):
        yield from feed.blocks(rows, device)


def mean_tokens(data: TrainingSet) -> int:
    """Mean number of tokens per row, rounded."""
    return max(1, round(sum(len(row) for row in data.rows) / len(data.rows)))


def first_tokens(batches: Sequence[Batch], most: int) -> list[Batch]:
    """The leading batches that together have at most `most` tokens; always at least one."""
    taken: list[Batch] = []
    tokens = 0
    for batch in batches:
        tokens += int(batch.mask.sum())
        if taken and tokens > most:
            break
        taken.append(batch)
    return taken
