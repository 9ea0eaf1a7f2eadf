"""How near a student's inner states are to the teacher's on dev: what chooses an epoch where answers are not learnt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from leanformer.data.examples import Examples
from leanformer.models.classifier import Classifier
from leanformer.models.store import device_of
from leanformer.step import Context
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import TrainingSet, to_batches
from leanformer.train.objectives.distillation import Distillation
from leanformer.train.rows import encode
from leanformer.train.teacher_outputs import teacher_outputs


def inner_score(
    student: Classifier,
    objective: Distillation,
    dev: Examples,
    tokenizer: Tokenizer,
    context: Context,
    token_budget: int,
) -> Callable[[], float]:
    """A function that gives minus the loss on the dev texts, of the student and the projections as they stand."""
    encoded = encode(tokenizer, dev.task, dev.inputs)
    outputs = teacher_outputs(
        context.artifacts["teacher"], dev.inputs, cache=context.cache,
        hidden=sorted({theirs for _, theirs in objective.hidden_map}),
        attention=sorted({theirs for _, theirs in objective.attention_map}),
        device=context.device, say=context.say,
    )  # fmt: skip
    on_dev = objective.on(outputs)
    data, device = TrainingSet(encoded.rows, encoded.unknown(), student.config.padding_id), device_of(context.device)

    def score() -> float:
        total = 0.0
        with torch.inference_mode():
            for batch in to_batches(data, np.arange(len(data)), token_budget=token_budget, device=device):
                total += float(on_dev(student, batch)) * batch.share
        return -total

    return score
