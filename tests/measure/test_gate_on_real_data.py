"""The gate on real labels: a split is the population, whose loss is known, and the gate sees a sample of it.

STS-B's scores have many ties, WikiANN's sentences few entities each, and the rarest of GoEmotions' 28 labels six rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.answers.forms import form_of
from leanformer.data.dataset import open_dataset
from leanformer.data.examples import Examples
from leanformer.measure.ship_gate import loss_between
from leanformer.tagging.ragged import ragged

pytestmark = pytest.mark.data
SAMPLES, ROWS = 300, 200


def of_scores(targets: np.ndarray, generator: np.random.Generator, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    teacher = targets + 0.8 * generator.normal(size=len(targets))
    return np.where(lost, generator.permutation(teacher), teacher + 0.1 * generator.normal(size=len(targets))), teacher


def of_tags(targets: np.ndarray, generator: np.random.Generator, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The teacher misses one sentence in ten, and the student the lost ones as well; 0 is O."""
    missed = generator.random(len(targets)) < 0.1
    ours, theirs = (
        ragged([np.zeros_like(tags) if gone else tags for tags, gone in zip(targets, rows, strict=True)])
        for rows in (missed | lost, missed)
    )
    return ours, theirs


def of_labels(targets: np.ndarray, generator: np.random.Generator, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    teacher = np.where(generator.random(targets.shape) < 0.03, 1 - targets, targets).astype(bool)
    gained = (generator.random(targets.shape) < 0.2) & (targets == 1)
    return np.where(lost[:, None], False, teacher | gained), teacher


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [("stsb", "similarity", of_scores), ("wikiann/de", "tokens", of_tags), ("goemotions", "multilabel", of_labels)],
)
def test_false_ships_and_coverage_on_samples_of_real_labels(
    name: str, kind: str, answer: object, leanformer_data: Path
):
    examples = open_dataset(leanformer_data / name, kind=kind).test
    assert isinstance(examples, Examples) and len(examples) > 1000
    generator = np.random.default_rng(8)
    task, targets = examples.task, examples.targets
    ours, theirs = answer(targets, generator, generator.random(len(targets)) < 0.08)  # type: ignore[operator]
    form = form_of(task)

    def loss_of(rows: np.ndarray) -> object:
        model, reference = (form.estimates(each[rows], targets[rows], task)[form.metric] for each in (ours, theirs))
        return loss_between(model, reference)

    true = loss_of(np.arange(len(targets))).value  # type: ignore[attr-defined]
    assert 0.01 < true < 0.2
    drawn = [loss_of(generator.integers(0, len(targets), ROWS)) for _ in range(SAMPLES)]
    below, above = (np.array([getattr(loss, side)(true) for loss in drawn]) for side in ("p_below", "p_above"))
    assert (below <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / SAMPLES)
    assert (np.minimum(below, above) > 0.025).mean() >= 0.92
    assert all(loss.upper(0.95) - loss.lower(0.95) < 0.5 for loss in drawn), "it says something"  # type: ignore[attr-defined]
