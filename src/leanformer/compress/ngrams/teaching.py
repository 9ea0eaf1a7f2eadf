"""What students on n-grams learn from: labels, or a teacher's answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.data.examples import Examples
from leanformer.linear.fit import Taught
from leanformer.metrics.probabilities import softmax
from leanformer.step import Context, Make

LABELS, TEACHER, EITHER = "labels", "teacher", "either"


@dataclass(frozen=True)
class NgramStudent(Make):
    """A step that trains a model on n-grams, on labels or on the answers of the artifact `teacher`."""

    learn_from: str = "either"  # "labels", "teacher", or "either": the one with the higher quality on dev
    use_unlabelled: bool = True  # also learn the teacher's answers on unlabelled texts
    temperature: float = 2.0  # by which the teacher's logits are divided

    consumes: ClassVar[tuple[str, ...]] = ("encoder", "bilstm", "transformers")
    produces: ClassVar[str] = "ngrams"
    trains: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.one_of("learn_from", (LABELS, TEACHER, EITHER))
        self.above(0, "temperature")
        super().__post_init__()


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
