"""Leaks: texts of an evaluation split on which a model may have been trained, exactly or nearly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.grams import LETTERS
from leanformer.data.near_repeats import JACCARD, near_repeats
from leanformer.data.overlap import normalise_all

NEARLY = f"character {LETTERS}-grams, Jaccard >= {JACCARD:g}"
# This takes a few seconds; in longer data, near repeats are not searched for.
NEAR_LETTERS = 5_000_000


@dataclass(frozen=True)
class Leaks:
    """Rows of a split whose text is among those that a model is made from; pairs are compared by both texts.

    Attributes:
        compared: the splits that were searched: train and unlabelled, and dev if it was taken out of train, because a
            model trained elsewhere may have been trained on all of it.
        exact: for each row, whether its normalised text is there, booleans `[n]`.
        near: whether its text, or a nearly equal one (`NEARLY`), is there, `[n]`; None if that was not searched for.
    """

    compared: tuple[str, ...]
    exact: np.ndarray
    near: np.ndarray | None

    def to_json(self) -> dict[str, Any]:
        """The counts; that of near repeats includes the exact ones, and is null if they were not counted."""
        return {
            "n": len(self.exact), "exact": int(self.exact.sum()),
            "near": None if self.near is None else int(self.near.sum()), "compared": list(self.compared),
        }  # fmt: skip


def find_leaks(data: Dataset, split: str, near_letters: int = NEAR_LETTERS) -> Leaks | None:
    """The leaks of `split`, "test" or "dev"; None if there is no such split, or nothing that it could leak from.

    Near repeats are searched for in at most `near_letters` characters, of both sides together.
    """
    examples: Examples | None = getattr(data, split)
    names = ["train", "unlabelled"] + (["dev"] if data.dev_rows is not None and split != "dev" else [])
    sources = {name: part for name in names if (part := getattr(data, name)) is not None}
    if examples is None or not sources:
        return None
    texts = normalise_all(examples.inputs)
    seen = [text for part in sources.values() for text in normalise_all(part.inputs)]
    there = set(seen)
    exact = np.array([text in there for text in texts], dtype=bool)
    few = sum(map(len, texts)) + sum(map(len, there)) <= near_letters
    return Leaks(tuple(sources), exact, near_repeats(texts, seen) if few else None)
