"""A tokenizer reduced to the tokens that some texts use, plus a few others."""

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
    """A reduced tokenizer.

    Attributes:
        written: its `tokenizer.json`.
        order: the old id of each new id.
        before, after: vocabulary sizes of the old and the new tokenizer.
        counted: the comparison on the texts used for counting.
        old, new: both tokenizers.
        unknown_id: the old id of the unknown token, if there is one.
    """

    written: str
    order: list[int]
    before: int
    counted: Difference
    old: RustTokenizer
    new: RustTokenizer
    unknown_id: int | None

    def compared(self, texts: Sequence[str]) -> Difference:
        """Compare both tokenizers on other texts."""
        return compare(self.old, self.new, texts, order=self.order, unknown_id=self.unknown_id)

    def renumbered(self, rows: int) -> np.ndarray:
        """The new id of each old id, int32 `[rows]`; for a dropped token the unknown token's id, or 0 without one."""
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
    """Reduce a `tokenizer.json` to the tokens that `texts` use.

    A new word is split into smaller tokens that were kept: with `keep_characters` into single characters at worst;
    without it, the word may become unknown.

    Args:
        source: the content of the file. rows: number of rows of the word table.
        min_count: drop tokens with fewer occurrences. keep: keep at most this many of those seen, the most frequent.

    Raises `GateError` if the tokenizer cannot be reduced, has an id outside the word table, or, with all seen tokens
    kept, still splits a counted text differently.
    """
    vocabulary, before = Vocabulary(json.loads(source)), whole(source)
    highest = max(*vocabulary.ids.values(), *vocabulary.added.values())
    if highest >= rows:
        raise GateError(f"compress.trim_vocabulary: the tokenizer has an id {highest}, the word table {rows} rows")
    counts = count_pieces(before, texts, rows)
    # Most frequent first; ties go to the lower id.
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
