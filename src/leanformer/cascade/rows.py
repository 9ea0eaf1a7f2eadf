"""Token ids for members with different tokenizers: a row holds the ids of each, one after the other.

Members with the same `tokenizer.json` share their ids, as do all models on n-grams, which read characters; if all
members do, a row is the same as for a single member. Otherwise
the row begins with the number of tokens per tokenizer. A row thus remains one array, which can be sent anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Protocol

import numpy as np

from leanformer.artifact import Artifact
from leanformer.cascade.store import read_cascade
from leanformer.formats import format_of, function_of
from leanformer.task import Text
from leanformer.tokenizer import Tokenizer

TOKENIZER = "tokenizer.json"


class RowMaker(Protocol):
    """What makes the rows of texts or pairs without a model (see `Tokenizer` for the methods)."""

    def cutting(self, side: str) -> RowMaker: ...
    def encode(self, texts: Sequence[Text]) -> list[np.ndarray]: ...
    def count_longer(self, texts: Sequence[Text]) -> int: ...


def groups_of(members: Sequence[Artifact]) -> tuple[int, ...]:
    """The index of each member's tokenizer; tokenizers are numbered in the order of first use."""
    keys = [member.files.get(TOKENIZER, {"sha256": format_of(member).tokenizer})["sha256"] for member in members]
    known = list(dict.fromkeys(keys))
    return tuple(known.index(key) for key in keys)


def join(parts: Sequence[np.ndarray]) -> np.ndarray:
    """One row from a text's ids by each tokenizer, `[tokens]` or `[tokens, 2]` each."""
    if len(parts) == 1:
        return parts[0]
    head = np.zeros((len(parts), *parts[0].shape[1:]), dtype=parts[0].dtype)
    head.reshape(len(parts), -1)[:, 0] = [len(part) for part in parts]
    return np.concatenate([head, *parts])


def split(row: np.ndarray, groups: int) -> list[np.ndarray]:
    """The arrays given to `join`, for `groups` tokenizers. Raises `ValueError` for a row that it did not make."""
    if groups == 1:
        return [row]
    counts = row[:groups].reshape(groups, -1)[:, 0] if len(row) >= groups else np.array([-1])
    ends = groups + np.cumsum(counts)
    if (counts < 0).any() or ends[-1] != len(row):
        raise ValueError(f"a row of {len(row)} numbers does not hold the ids of {groups} tokenizers")
    return [row[end - count : end] for end, count in zip(ends, counts, strict=True)]


class CascadeTokenizer:
    """Makes the rows of a cascade without its models, for the members that it asks; has the methods of `Tokenizer`."""

    def __init__(self, members: Sequence[Artifact]) -> None:
        groups = groups_of(members)
        firsts = [members[groups.index(number)] for number in range(max(groups) + 1)]
        self._tokenizers: list[RowMaker] = [tokenizer_of(first) for first in firsts]

    def cutting(self, side: str) -> CascadeTokenizer:
        """The same, but texts that are too long are truncated on this side, "right" or "left"."""
        other = copy(self)
        other._tokenizers = [tokenizer.cutting(side) for tokenizer in self._tokenizers]
        return other

    def encode(self, texts: Sequence[Text]) -> list[np.ndarray]:
        parts = [tokenizer.encode(texts) for tokenizer in self._tokenizers]
        return [join(ids) for ids in zip(*parts, strict=True)]

    def count_longer(self, texts: Sequence[Text]) -> int:
        """How many texts are too long for at least one of the tokenizers."""
        longer = [[tokenizer.count_longer([text]) > 0 for text in texts] for tokenizer in self._tokenizers]
        return sum(any(flags) for flags in zip(*longer, strict=True))


def tokenizer_of(artifact: Artifact) -> RowMaker:
    """What makes the rows of an artifact of any format."""
    made: RowMaker = function_of(artifact, "tokenizer")(artifact)
    return made


def tokenizer_of_file(artifact: Artifact) -> Tokenizer:
    """The tokenizer of an artifact that has a `tokenizer.json`."""
    return Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)


def tokenizer_of_members(artifact: Artifact) -> CascadeTokenizer:
    """The tokenizer of a cascade."""
    plan, members = read_cascade(artifact)
    return CascadeTokenizer([member for number, member in enumerate(members) if plan.asked(number)])
