"""A teacher from few labels: the encoder is tuned on pairs of texts, then a regression is fitted on its vectors.

SetFit (Tunstall et al. 2022, arXiv 2209.11055), with a bounded number of pairs: few of them give most of the gain, and
the library's default makes 374,528 for 8 texts each of 77 classes. The word table stays as it is: few texts hold few
of its rows, and their neighbours in other texts would not move along.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import DataError
from leanformer.files import sha256_json
from leanformer.finetune.frozen import read_encoder, with_figure, with_regression
from leanformer.finetune.tuned import Place, Tuned
from leanformer.models.store import device_of
from leanformer.models.writing import TOKENIZER
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.by_group import feed_of
from leanformer.train.fit import encoder_hash
from leanformer.train.loop import Plan
from leanformer.train.objectives.pairs import PER_TEXT, CosinePairs, draw_pairs, pair_set
from leanformer.train.parts import fit_with_parts

MOST_TOKENS = 200_000  # of all pairs together
RATE, BATCH = 5e-5, 16  # peak learning rate, pairs per step; one pass over the pairs


def contrastive(artifact: Artifact, data: Dataset, place: Place, *, most: int = MOST_TOKENS) -> Tuned:
    """Tune the encoder on pairs from `data.train`, and fit the regression on the vectors that it gives then.

    The pairs have about `most` tokens together at most.

    Raises `DataError` if no two texts are of one class.
    """
    assert data.train is not None
    train, where, tokens = data.train, device_of(place.device), min(place.max_tokens, artifact.max_tokens)
    if np.bincount(train.targets).max() < 2:
        raise DataError(
            "contrastive tuning pairs texts of one class, and each of the train texts has a class of its own",
            path=train.source or data.name, remedy="--method frozen, or a second text of a class",
        )  # fmt: skip
    tokenizer = Tokenizer(artifact.file(TOKENIZER), tokens)
    rows = tokenizer.encode(train.texts)
    settings = replace(
        place.settings, epochs=1, batch_size=BATCH, learning_rate=RATE, warmup=0.1, parts=(), language_temperature=1.0
    )
    length = float(np.mean([len(row) for row in rows]))
    pairs, targets = draw_pairs(train.targets, int(max(1, most // (2 * length))), settings.seed, PER_TEXT)
    torch.manual_seed(settings.seed)
    model = read_encoder(artifact)
    identity = sha256_json(["contrastive", encoder_hash(model), data.training_hash, tokens, len(pairs)])
    model.encoder.embeddings.word.requires_grad_(False)
    place.say(f"contrastive: {len(pairs):,} pairs of {len(train):,} texts")
    # There is one pass and nothing to choose, so dev is not scored before the regression is there.
    plan = Plan(
        settings, lambda: 0.0, None if place.work is None else place.work / "checkpoint", identity, where,
        say=lambda line: None if line.startswith("epoch 1/1  dev") else place.say(line),
    )  # fmt: skip
    feed = feed_of(pair_set(rows, pairs, targets, model.config.padding_id), settings)
    result = fit_with_parts(model, CosinePairs(), feed, plan)
    model.encoder.embeddings.word.requires_grad_(True)
    made = with_regression(model, rows, train, place.device)
    options = {"pairs": len(pairs), "pair_rate": RATE, "pairs_per_step": BATCH}
    tuned = Tuned(made, artifact.file(TOKENIZER), tokens, data.task, {}, result.seconds, options)
    return with_figure(tuned, data, place)
