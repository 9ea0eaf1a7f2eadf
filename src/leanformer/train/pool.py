"""Texts to train on that come from several splits, with what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.data.examples import Examples
from leanformer.task import Task, Text
from leanformer.train.targets import labels_of


@dataclass(frozen=True)
class TextPool:
    """Texts, labelled or not.

    Attributes:
        inputs: what a model is given.
        labels: as `targets.labels_of` has them; -1 or the like where they are not known.
        languages: of the texts, where all say theirs; else None.
    """

    inputs: tuple[Text, ...]
    labels: np.ndarray
    languages: tuple[str, ...] | None


def pooled(parts: Sequence[Examples], task: Task) -> TextPool:
    """All texts of the parts, one part after the other, their labels numbered as in `task`."""
    known = [part.languages for part in parts if part.languages is not None]
    return TextPool(
        tuple(text for part in parts for text in part.inputs),
        np.concatenate([labels_of(part.for_task(task)) for part in parts]),
        tuple(language for each in known for language in each) if len(known) == len(parts) else None,
    )
