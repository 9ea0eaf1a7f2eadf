"""Models on n-grams for tests, and texts that are hard to split."""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.artifact import Artifact, open_artifact
from leanformer.files import new_folder
from leanformer.linear.fit import Fitted, fit_linear
from leanformer.tiny.model import MOST_IDF, Group, LinearHead, NgramModel
from leanformer.tiny.store import write_linear
from tests.making.tiny import tiny_dataset

ODD_TEXTS = (
    "", " ", "a", "A", ".", "...", "a.b", "don't  STOP", "naïve Straße İstanbul ΟΔΟΣ", "नमस्ते दुनिया", "你好，世界。",
    "\u3000全角\u2003空白", "tab\tnew\nline\r\n", "x" * 300, "yes yes yes yes yes no", "a b a b a b a b",
    "\U0001f600 ok", "\ud800 half", "\x1c\x85\xa0\u1680\u2028\u205f", "e\u0301 combining",
)  # fmt: skip


def random_texts(count: int, seed: int) -> list[str]:
    """Texts of code points from all over Unicode, half of them from ASCII."""
    draw = random.Random(seed)

    def letter() -> str:
        return chr(draw.randrange(32, 127) if draw.random() < 0.5 else draw.randrange(sys.maxunicode + 1))

    return ["".join(letter() for _ in range(draw.randrange(60))) for _ in range(count)]


def random_group(kind: str, lengths: tuple[int, int], width: int, *, seed: int, **changes: Any) -> Group:
    """A group with a vocabulary of random hashes and of those in `known`, or a hashed one with `hashed` rows.

    `dtype` is that of the table.
    """
    generator, known = np.random.default_rng(seed), changes.get("known", ())
    dtype = np.dtype(changes.get("dtype", np.int8))
    limits = np.iinfo(dtype)
    rows = changes.get("hashed")
    if rows is None:
        drawn = generator.integers(0, 2**32, size=500, dtype=np.uint64).astype(np.uint32)
        hashes = np.unique(np.concatenate([drawn, np.asarray(known, np.uint32)]))
        idf = generator.integers(1, MOST_IDF, size=len(hashes), endpoint=True).astype(np.uint16)
        table = generator.integers(limits.min, limits.max, size=(len(hashes), width), endpoint=True).astype(dtype)
        return Group(kind, *lengths, table, hashes, idf)
    return Group(
        kind, *lengths, generator.integers(limits.min, limits.max, size=(rows, width), endpoint=True).astype(dtype)
    )


def random_model(groups: list[Group], seed: int = 1) -> NgramModel:
    generator, width = np.random.default_rng(seed), groups[0].table.shape[1]
    return NgramModel(
        tuple(groups),
        LinearHead(*(generator.standard_normal((2, width)) * 0.01).astype(np.float32)),
    )


@cache
def tiny_fitted() -> Fitted:
    """A linear model of the tiny data set."""
    return fit_linear(tiny_dataset())


def linear_artifact(folder: Path, max_tokens: int = 32) -> Artifact:
    """An artifact of format "ngrams" for the tiny task."""
    dev = tiny_dataset().dev
    assert dev is not None
    with new_folder(folder) as temporary:
        write_linear(tiny_fitted().predictor, temporary, dev, max_tokens=max_tokens, history=[{"step": "test"}])
    return open_artifact(folder)
