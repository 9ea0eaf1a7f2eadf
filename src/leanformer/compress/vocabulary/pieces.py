"""Token counts of texts, and how two tokenizers differ on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer as RustTokenizer

from leanformer.compress.vocabulary.vocabulary import Vocabulary

_CHUNK_TEXTS = 4096


@dataclass(frozen=True)
class Difference:
    """How a set of texts changes under another tokenizer; token counts exclude special tokens.

    Attributes:
        texts, texts_changed: number of texts, and of those whose tokens differ.
        tokens, tokens_after: number of tokens before and after.
        unknown, unknown_after: how many of them are the unknown token.
    """

    texts: int
    texts_changed: int
    tokens: int
    tokens_after: int
    unknown: int
    unknown_after: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def whole(text: str) -> RustTokenizer:
    """A tokenizer from the content of a `tokenizer.json`, without truncation and padding, to count every token."""
    tokenizer = RustTokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def count_pieces(tokenizer: RustTokenizer, texts: Sequence[str], rows: int) -> np.ndarray:
    """How often each id occurs in `texts`: int64 `[rows]`."""
    counts = np.zeros(rows, dtype=np.int64)
    for ids in _encoded(tokenizer, texts):
        for token_id in ids:
            counts += np.bincount(token_id, minlength=rows)
    return counts


def attempted_pieces(tokenizer: RustTokenizer, vocabulary: Vocabulary, texts: Sequence[str]) -> set[int]:
    """The ids that WordPiece matched in words that became unknown (see `Vocabulary.attempts`)."""
    unknown, found = vocabulary.unknown_id, set[int]()
    if vocabulary.kind != "WordPiece" or unknown is None:
        return found
    words: set[str] = set()
    for start in range(0, len(texts), _CHUNK_TEXTS):
        chunk = list(texts[start : start + _CHUNK_TEXTS])
        for text, encoding in zip(chunk, tokenizer.encode_batch(chunk, add_special_tokens=False), strict=True):
            words |= {
                text[a:b] for index, (a, b) in zip(encoding.ids, encoding.offsets, strict=True) if index == unknown
            }
    for word in words:
        if tokenizer.normalizer is not None:
            word = tokenizer.normalizer.normalize_str(word)
        parts = [(word, None)] if tokenizer.pre_tokenizer is None else tokenizer.pre_tokenizer.pre_tokenize_str(word)
        for part, _ in parts:
            found.update(vocabulary.attempts(part))
    return found


def compare(
    before: RustTokenizer,
    after: RustTokenizer,
    texts: Sequence[str],
    *,
    order: Sequence[int],
    unknown_id: int | None,
) -> Difference:
    """Compare the tokens of `texts`; `order` gives the old id of each new id, and `unknown_id` is an old id."""
    old_of_new, changed = np.asarray(order), 0
    tokens, unknown = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    for olds, news in zip(_encoded(before, texts), _encoded(after, texts), strict=True):
        for old, new in zip(olds, news, strict=True):
            mapped = old_of_new[new]
            changed += not np.array_equal(old, mapped)
            tokens += (len(old), len(new))
            if unknown_id is not None:
                unknown += (int((old == unknown_id).sum()), int((mapped == unknown_id).sum()))
    return Difference(len(texts), changed, int(tokens[0]), int(tokens[1]), int(unknown[0]), int(unknown[1]))


def _encoded(tokenizer: RustTokenizer, texts: Sequence[str]) -> Iterator[list[np.ndarray]]:
    """Yield the ids of the texts, int64 `[tokens]` each, without special tokens, one chunk of texts at a time."""
    for start in range(0, len(texts), _CHUNK_TEXTS):
        chunk = list(texts[start : start + _CHUNK_TEXTS])
        yield [
            np.asarray(encoding.ids, dtype=np.int64)
            for encoding in tokenizer.encode_batch_fast(chunk, add_special_tokens=False)
        ]
