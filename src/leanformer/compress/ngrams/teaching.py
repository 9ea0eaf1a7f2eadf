"""A teacher's answers as targets of students on n-grams."""

from __future__ import annotations

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.data.examples import Examples
from leanformer.linear.fit import Taught
from leanformer.metrics.probabilities import softmax
from leanformer.step import Context


def with_labels(train: Examples) -> Taught:
    """The texts of train, each with probability 1 for its label."""
    return Taught(train.inputs, np.eye(len(train.task.labels))[train.targets])


def taught_by(context: Context, *, use_unlabelled: bool, temperature: float) -> Taught | None:
    """The texts of train, and the unlabelled ones, with the teacher's probabilities.

    None if there are no texts, or if the answer is not one label, since only that is distilled.
    """
    from leanformer.train.teacher_outputs import teacher_outputs

    data, teacher = context.data, context.artifacts["teacher"]
    if not form_of(data.task).exclusive:
        return None
    parts = [data.train, data.unlabelled if use_unlabelled else None]
    inputs = [text for part in parts if part is not None for text in part.inputs]
    if not inputs:
        return None
    outputs = teacher_outputs(teacher, inputs, cache=context.cache, device=context.device, say=context.say)
    return Taught(inputs, softmax(outputs.logits.astype(float) / temperature))
