"""A tokenizer with the pieces that some texts use, and few others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer as RustTokenizer

from leanformer.compress.vocabulary.pieces import Difference, attempted_pieces, compare, count_pieces, whole
from leanformer.compress.vocabulary.vocabulary import Vocabulary
from leanformer.errors import GateError


@dataclass(frozen=True)
class SeenPieces:
    """A tokenizer cut down.

    Attributes:
        written: its `tokenizer.json`.
        order: the old id of each new one.
        before, after: pieces of the old tokenizer and of the new one.
        counted: how the texts that were counted fare.
        old, new: both tokenizers.
        unknown_id: the old id of the unknown piece, if there is one.
    """

    written: str
    order: list[int]
    before: int
    counted: Difference
    old: RustTokenizer
    new: RustTokenizer
    unknown_id: int | None

    def compared(self, texts: Sequence[str]) -> Difference:
        """How other texts fare."""
        return compare(self.old, self.new, texts, order=self.order, unknown_id=self.unknown_id)

    def renumbered(self, rows: int) -> np.ndarray:
        """The new id of each old one, int32 `[rows]`; of a piece that is gone that of the unknown piece, or else 0."""
        ids = np.full(rows, 0 if self.unknown_id is None else self.order.index(self.unknown_id), dtype=np.int32)
        ids[np.asarray(self.order)] = np.arange(len(self.order), dtype=np.int32)
        return ids


def seen_pieces(
    source: str,
    texts: Sequence[str],
    rows: int,
    *,
    min_count: int = 1,
    keep: int | None = None,
    keep_characters: bool = True,
) -> SeenPieces:
    """Cut a `tokenizer.json` down to the pieces that `texts` use.

    A word that they do not have comes apart into smaller pieces that are left, with `keep_characters` into single
    characters at worst, and without them it may become unknown.

    Args:
        source: the content of the file. rows: of the word table.
        min_count: drop pieces that occur fewer times. keep: at most so many of those seen, the most frequent.

    Raises `GateError` for a tokenizer that cannot be cut, and, where no piece seen was to be dropped, when a text that
    was counted comes apart differently all the same.
    """
    vocabulary, before = Vocabulary(json.loads(source)), whole(source)
    highest = max(*vocabulary.ids.values(), *vocabulary.added.values())
    if highest >= rows:
        raise GateError(f"compress.trim_vocabulary: the tokenizer has an id {highest}, the word table {rows} rows")
    counts = count_pieces(before, texts, rows)
    # The most frequent first; of equally frequent ones the lower id.
    seen = [int(i) for i in (-counts).argsort(kind="stable") if counts[i] >= min_count][:keep]
    kept = vocabulary.indispensable() | attempted_pieces(before, vocabulary, texts) | vocabulary.with_parts(seen)
    if keep_characters:
        kept |= vocabulary.characters()
    spec, order = vocabulary.trimmed(kept)
    written = json.dumps(spec, ensure_ascii=False, separators=(",", ":"))
    after = whole(written)
    counted = compare(before, after, texts, order=order, unknown_id=vocabulary.unknown_id)
    if min_count == 1 and keep is None and counted.texts_changed:
        raise GateError(
            f"compress.trim_vocabulary: {counted.texts_changed} of {counted.texts} counted texts came apart "
            "differently without the pieces that none of them uses; this tokenizer cannot be trimmed without loss"
        )
    return SeenPieces(written, order, len(vocabulary), counted, before, after, vocabulary.unknown_id)
