"""Choice of the teacher layers to keep by trial: train a few candidate subsets briefly and take the best on dev.

The distance before training favours late layers. Students started from them learn more slowly at first than students
started from the first layer, the last layer and evenly spaced layers in between (benchmarks/ladders/layers.py). With
much text and several epochs the difference disappears; see docs/decisions/0008-layers-by-trial.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from leanformer.compress.distil.choose_layers import choose_layers
from leanformer.data.examples import Examples, sampled
from leanformer.files import remove_folder, sha256_json
from leanformer.kept import keep, kept
from leanformer.models.classifier import Classifier
from leanformer.models.scoring import score_rows
from leanformer.models.store import device_of
from leanformer.models.surgery import keep_layers
from leanformer.step import Context
from leanformer.tagging.ragged import flat
from leanformer.task import Text
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import folded
from leanformer.train.feeds.by_group import feed_of
from leanformer.train.fit import encoder_hash
from leanformer.train.loop import Plan, fit
from leanformer.train.objectives.answers import LOSSES
from leanformer.train.objectives.distillation import Distillation, LossWeights
from leanformer.train.rows import encode, unlabelled_set
from leanformer.train.settings import FitSettings
from leanformer.train.teacher_outputs import teacher_outputs

_DEV_TEXTS = 512


class Trials:
    """Distances of completed trials, saved to disk so that a killed run does not repeat them.

    `identity` is a hash of everything they depend on; distances saved under another identity are ignored. A damaged
    file is ignored too, after a message through `say`.
    """

    def __init__(self, path: Path, identity: str, say: Callable[[str], None] = lambda line: None) -> None:
        self._path, self._done = path, dict[str, Any](identity=identity, distances={})
        found = kept(path, say, again="the layers are tried again")
        if found is not None and found["identity"] == identity:
            self._done = found

    def distance(self, layers: Sequence[int]) -> float | None:
        return self._done["distances"].get(_key(layers))

    def add(self, layers: Sequence[int], distance: float) -> None:
        self._done["distances"][_key(layers)] = distance
        keep(self._path, self._done)


def _key(layers: Sequence[int]) -> str:
    return " ".join(map(str, layers))


def candidates(depth: int, keep: int) -> list[tuple[int, ...]]:
    """Evenly spaced subsets (layers from 0): with both ends, rounded down and up; every k-th (Jiao et al. 2020)."""
    spread: list[tuple[int, ...]] = [(depth - 1,)]
    if keep > 1:
        places = [i * (depth - 1) / (keep - 1) for i in range(keep)]
        spread = [tuple(int(p) for p in places), tuple(int(np.ceil(p)) for p in places)]
    even = tuple(round((i + 1) * depth / keep) - 1 for i in range(keep))
    return list(dict.fromkeys([*spread, even]))


def try_layers(
    source: Classifier,
    keep: int,
    *,
    texts: Sequence[Text],
    dev: Examples,
    tokenizer: Tokenizer,
    context: Context,
    learning_rate: float,
) -> tuple[int, ...]:
    """The `keep` layers (from 0) whose student, distilled on `texts` for one epoch, is closest to the teacher on dev.

    Without texts, return the first of `candidates` without a trial. The subset that is closest before training is also
    a candidate. Raises `ValueError` unless `keep` is between 1 and the number of layers.
    """
    distances = trial_distances(
        source, keep, texts=texts, dev=dev, tokenizer=tokenizer, context=context, learning_rate=learning_rate
    )
    return min(distances, key=lambda layers: distances[layers])


def trial_distances(
    source: Classifier,
    keep: int,
    *,
    texts: Sequence[Text],
    dev: Examples,
    tokenizer: Tokenizer,
    context: Context,
    learning_rate: float,
) -> dict[tuple[int, ...], float]:
    """Each candidate's soft loss against the teacher on dev after its trial; a single candidate is not trained."""
    depth = len(source.config.layers)
    if not 1 <= keep <= depth:
        raise ValueError(f"cannot keep {keep} of {depth} layers")
    options = candidates(depth, keep)
    if not texts or keep == depth:
        return {options[0]: 0.0}
    dev_texts = sampled(dev, _DEV_TEXTS, context.seed)
    on_dev = encode(tokenizer, dev.task, dev_texts)
    # Windows are compared one by one; candidates of a question only together.
    counts = None if on_dev.averaged else on_dev.counts
    nearest = choose_layers(source, keep, on_dev.rows, answer=dev.task.answer, counts=counts, say=context.say)
    options = list(dict.fromkeys([*options, nearest]))
    if len(options) == 1:
        return {options[0]: 0.0}
    teacher, device = context.artifacts["teacher"], device_of(context.device)
    outputs, answers = (
        teacher_outputs(teacher, split, cache=context.cache, device=context.device, warn=context.say)
        for split in (texts, dev_texts)
    )

    losses = LOSSES[dev.task.answer]

    def table(logits: np.ndarray) -> torch.Tensor:
        if losses.positions:
            return losses.table(list(logits))
        values = torch.from_numpy(flat(logits).copy())
        return values if counts is None else folded(values[:, None], torch.from_numpy(counts))

    target = table(answers.logits)
    padding = source.config.padding_id
    on_train = encode(tokenizer, dev.task, texts)
    data = unlabelled_set(on_train, padding)  # soft loss only
    outputs = replace(outputs, logits=on_train.of_rows(outputs.logits))
    settings = FitSettings(
        epochs=1, batch_size=32, learning_rate=learning_rate, warmup=0.2, seed=context.seed, checkpoint_seconds=1e9
    )
    trials = Trials(
        context.work / "trials.json",
        sha256_json(
            [encoder_hash(source), list(texts), list(dev_texts), learning_rate, context.seed, teacher.content_hash]
        ),
        context.say,
    )
    distances: dict[tuple[int, ...], float] = {}
    for layers in options:
        if (known := trials.distance(layers)) is not None:
            distances[layers] = known
            continue
        student = keep_layers(source, layers)

        def score(student: Classifier = student) -> float:
            ours = on_dev.logits(lambda rows: score_rows(student, rows, padding_id=padding, device=device))
            return -float(losses.soft(table(ours), target, 1.0).mean())

        folder = Path(context.work, "trial")
        identity = sha256_json([source.config.to_json(), list(layers), list(texts)])
        plan = Plan(settings, score, folder, identity, device, warn=context.say)
        fit(student, Distillation(outputs, LossWeights(), answer=dev.task.answer), feed_of(data, settings), plan)
        distances[layers] = -score()
        trials.add(layers, distances[layers])
        remove_folder(folder)
        shown = ", ".join(str(i + 1) for i in layers)
        context.say(f"layers {shown} of {depth}, tried on {len(texts)} texts: loss {distances[layers]:.3f} on dev")
    return distances
