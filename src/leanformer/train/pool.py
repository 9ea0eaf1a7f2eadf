"""Training texts from several splits, with their labels and languages if known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.data.examples import Examples
from leanformer.task import Task, Text
from leanformer.train.targets import labels_of


@dataclass(frozen=True)
class TextPool:
    """Texts with or without labels.

    Attributes:
        inputs: the model's inputs.
        labels: as from `targets.labels_of`; -1 (NaN for scores) if unknown.
        languages: of the texts, if all of them have one; else None.
    """

    inputs: tuple[Text, ...]
    labels: np.ndarray
    languages: tuple[str, ...] | None


def pooled(parts: Sequence[Examples], task: Task) -> TextPool:
    """All texts of the parts, concatenated, with labels numbered as in `task`."""
    known = [part.languages for part in parts if part.languages is not None]
    return TextPool(
        tuple(text for part in parts for text in part.inputs),
        np.concatenate([labels_of(part.for_task(task)) for part in parts]),
        tuple(language for names in known for language in names) if len(known) == len(parts) else None,
    )
