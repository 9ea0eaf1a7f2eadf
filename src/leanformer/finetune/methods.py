"""The ways of making a teacher from labels, by name, and the one that suits the labels at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.files import sha256_json
from leanformer.finetune.choose import MOST_TOKENS, Candidate, choose
from leanformer.finetune.contrastive import contrastive
from leanformer.finetune.frozen import frozen, vector_artifact
from leanformer.finetune.full import BATCH, few_steps, full, on_few
from leanformer.finetune.names import ADAPTER, AUTO, CONTRASTIVE, FROZEN, FULL, check_task
from leanformer.finetune.tuned import Place, Tuned
from leanformer.linear.fit import need_sklearn
from leanformer.models.writing import TOKENIZER
from leanformer.tokenizer import Tokenizer
from leanformer.train.objectives.pairs import PER_TEXT

BITFIT = "bitfit"  # the adapter of `ADAPTER`


def tuned(
    method: str, encoder: str, data: Dataset, place: Place, *, crf: bool = False, overlap: int | None = None
) -> Tuned:
    """Make a teacher by one of `names.METHODS`; `crf` and `overlap` are for "full" alone.

    Raises `LeanformerError` for a task that the method does not know, and as the method's own function.
    """
    check_task(data.task, method, overlap is not None)
    if method == FULL:
        return full(encoder, data, place, crf=crf, overlap=overlap)
    if method == ADAPTER:
        return on_few(encoder, data, place, adapter=BITFIT)
    need_sklearn()
    assert data.train is not None and place.work is not None
    artifact = vector_artifact(encoder, data.train.texts, place.work, place.say)
    if method == AUTO:
        return _chosen(encoder, artifact, data, place)
    return (frozen if method == FROZEN else contrastive)(artifact, data, place)


def _chosen(encoder: str, artifact: Artifact, data: Dataset, place: Place) -> Tuned:
    """The result of the method that `choose` takes."""
    assert data.train is not None and place.work is not None
    seed, rows = place.settings.seed, len(data.train)
    tokenizer = Tokenizer(artifact.file(TOKENIZER), min(place.max_tokens, artifact.max_tokens))
    length = float(np.mean([len(ids) for ids in tokenizer.encode(data.train.texts)]))
    makers: dict[str, Callable[..., Tuned]] = {
        FROZEN: partial(frozen, artifact), CONTRASTIVE: partial(contrastive, artifact),
        ADAPTER: partial(on_few, encoder, adapter=BITFIT), FULL: partial(on_few, encoder, adapter=None),
    }  # fmt: skip
    quiet, most = replace(place, work=None, say=lambda line: None), MOST_TOKENS // 2
    trained = int(few_steps(rows) * min(BATCH, rows) * length)
    candidates = {
        FROZEN: Candidate(partial(makers[FROZEN], place=quiet)),
        CONTRASTIVE: Candidate(
            partial(makers[CONTRASTIVE], place=quiet, most=most), min(most, int(2 * PER_TEXT * rows * length)), least=3
        ),
        ADAPTER: Candidate(partial(makers[ADAPTER], place=quiet), trained),
        FULL: Candidate(partial(makers[FULL], place=quiet), trained),
    }
    identity = sha256_json([artifact.content_hash, data.training_hash, place.max_tokens, place.settings.to_json()])
    choice = choose(
        replace(data, dev=None), candidates, identity=identity, seed=seed, device=place.device, work=place.work,
        say=place.say,
    )  # fmt: skip
    place.say(f"method {choice.method}: {choice.why}")
    made = makers[choice.method](data, place)
    return replace(made, result={**made.result, **choice.to_json()})
