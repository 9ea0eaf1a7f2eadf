"""Fine-tuning of a whole model, or of an adapter, on labels: the best weights on dev are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from leanformer.answers.long_texts import cut_note
from leanformer.data.dataset import Dataset
from leanformer.errors import DataError
from leanformer.files import sha256_json
from leanformer.finetune.tuned import Place, Tuned
from leanformer.models.store import device_of, start_classifier
from leanformer.tokenizer import Tokenizer
from leanformer.train.adapters.spec import read_spec
from leanformer.train.fit import dev_result, encoder_hash, fit_classifier
from leanformer.train.objectives.chain import tag_chain
from leanformer.train.objectives.distillation import Distillation, LossWeights
from leanformer.train.objectives.objective import LabelLoss, Objective, Supervised
from leanformer.train.rows import encode
from leanformer.train.targets import labels_of, with_scale
from leanformer.train.teacher_outputs import by_logits

# Of training on few rows: least steps, least passes, rows a step; and the peak learning rate of a whole model.
_STEPS, _PASSES, BATCH = 100, 3, 16
_RATE = 5e-5


def few_steps(rows: int) -> int:
    """The optimiser steps of training on so many rows: three passes, or more where these would be few steps."""
    return max(_STEPS, _PASSES * -(-rows // BATCH))


def on_few(encoder: str, data: Dataset, place: Place, *, adapter: str | None) -> Tuned:
    """Fit a model, or an adapter of it, on few rows: in one run, whose last weights are kept.

    Dev is a handful of rows then, and says little about which weights are best.
    """
    assert data.train is not None
    settings = replace(
        place.settings, epochs=1, batch_size=BATCH, learning_rate=read_spec(adapter).rate if adapter else _RATE,
        parts=(("adapter", adapter),) if adapter else (),
    )  # fmt: skip
    dev = data.train if data.dev is None else data.dev
    made = full(encoder, replace(data, dev=dev), replace(place, settings=settings), steps=few_steps(len(data.train)))
    return made if data.dev is not None else replace(made, result={})


def full(
    encoder: str, data: Dataset, place: Place, *, crf: bool = False, overlap: int | None = None,
    steps: int | None = None,
) -> Tuned:  # fmt: skip
    """Fit a model that starts from `encoder`, with the settings and parts of `place`, on `data.train`.

    `steps`: see `train.fit.fit_classifier`.

    Raises `DataError` without a dev split.
    """
    assert data.train is not None
    settings, say = place.settings, place.say
    if data.dev is None:
        raise DataError(
            "there is no dev split to choose the best epoch by, and none could be taken out of train",
            path=data.name,
            remedy="give a dev file, or more train rows: at least two texts of a label",
        )
    loss = tag_chain(data.task, "train") if crf else LabelLoss(data.task.answer)
    objective: Objective = Supervised(loss)
    device_of(place.device)  # report a missing device now, not after the texts were tokenized
    torch.manual_seed(settings.seed)
    model, tokenizer_path, missing, positions = start_classifier(encoder, data.task)
    if missing:
        say(f"starting at random: {', '.join(missing)}")
    tokens = min(place.max_tokens, positions)
    tokenizer = Tokenizer(tokenizer_path, tokens)
    # Learnt tag transitions belong to the logits that they were learnt with.
    task = replace(data.task, transitions=None, overlap=overlap)
    train = replace(data.train, task=with_scale(task, data.train))
    say(f"{len(train)} training texts, {len(data.dev)} dev texts, {data.task.kind}, {len(data.task.labels)} labels")
    for split, examples in (("train", train), ("dev", data.dev)):
        if note := cut_note(task, tokenizer, examples.inputs, split):
            say(f"note: {note}")
    given: dict[str, Any] = {}
    if place.answers is not None:
        logits = place.answers.logits(train.task)
        encoded = encode(tokenizer, train.task, train.inputs)
        objective = Distillation(by_logits(encoded.of_rows(logits)), LossWeights(), answer=data.task.answer)
        given = {"teacher_answers": place.answers.answered, "answers_hash": sha256_json(logits.tolist())}
    asked = [] if overlap is None else [{"overlap": overlap}]
    asked += [] if steps is None else [{"steps": steps}]
    asked += [given] if given else []
    result = fit_classifier(
        model, objective, train.inputs, labels_of(train), replace(data.dev, task=train.task),
        tokenizer, settings,
        work=place.work, device=place.device, say=say, languages=train.languages, steps=steps,
        identity=sha256_json([encoder_hash(model), data.training_hash, tokens, *(["crf"] if crf else []), *asked]),
    )  # fmt: skip
    options = settings.to_json() | ({"crf": True} if crf else {})
    for further in asked:
        options |= further
    return Tuned(
        model, tokenizer_path, tokens, result.task, dev_result(result, train.task), result.seconds, options,
        result.adapter,
    )  # fmt: skip
