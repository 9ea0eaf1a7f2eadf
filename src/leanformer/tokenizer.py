"""Texts to token ids, with the `tokenizers` library alone; the same for training, export and runtime."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Encoding
from tokenizers import Tokenizer as RustTokenizer

from leanformer.errors import TokenizerFileError
from leanformer.task import Text
from leanformer.tokenizer_file.halves import check_whole
from leanformer.tokenizer_file.read import read_tokenizer
from leanformer.words.cache import WordCache

# Characters for each token that is read; longer pairs may have many windows.
_LONG_PAIR = 4


class Tokenizer:
    """A `tokenizer.json` with truncation to `max_tokens` and no padding; in a pair the longer text is truncated first.

    Texts are truncated at the end, or, if the file says so (`truncation_side`), at the beginning.

    Args:
        path: the file.
        max_tokens: special tokens included.
        overlap: how many tokens of a window `windows` repeats in the next one.
        one_core: use only the calling thread's core. Otherwise texts that the word cache cannot answer are distributed
            over the library's threads, as many as the process has cores ($RAYON_NUM_THREADS, read at their first use).
        cache: keep the ids of words (`words.cache`), if the tokenizer allows it; the ids are the same without.

    Raises `TokenizerFileError` if the file cannot be read as a tokenizer, or leaves no room for a text.
    """

    def __init__(
        self, path: Path | str, max_tokens: int, *, overlap: int = 0, one_core: bool = False, cache: bool = True
    ) -> None:
        self._file = read_tokenizer(path)
        self._tokenizer = self._file.library
        self.path, self.max_tokens = path, max_tokens
        special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        if special > max_tokens:
            raise TokenizerFileError(path, f"it sets {special} tokens around a text, and the model reads {max_tokens}")
        self._one_core, self._overlap, self._cache = one_core, overlap, cache
        self._tokenizer.no_padding()
        self._cut(truncation_side(self._tokenizer))

    def _cut(self, side: str) -> None:
        self.side = side
        self._tokenizer.enable_truncation(max_length=self.max_tokens, stride=self._overlap, direction=side)
        options = {"overlap": self._overlap, "one_core": self._one_core, "cut_left": side == "left"}
        self._words: WordCache | None = None
        if self._cache:
            self._words = self._file.run(lambda: WordCache.of(self._tokenizer, self.max_tokens, **options), ())

    def cutting(self, side: str) -> Tokenizer:
        """The same tokenizer, but truncating texts that are too long on this side, "right" or "left"."""
        if side == self.side:
            return self
        other = copy(self)
        # The library's object truncates on one side only.
        other._file = replace(self._file, library=RustTokenizer.from_str(self._tokenizer.to_str()))
        other._tokenizer = other._file.library
        other._cut(side)
        return other

    def encode(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """Token ids of each text, special tokens included: one int32 array `[tokens]` per text.

        For a pair of texts the array is `[tokens, 2]`: token ids, and token types, which distinguish the two texts.
        Raises `TypeError` for a bare string and for a value that is not a text, `DataError` for half a surrogate pair
        and for a text that is too long (`tokenizer_file.read.MOST_CHARACTERS`).
        """
        return [window[0] for window in self.windows(texts, 1)]

    def count_longer(self, texts: Sequence[Text], counts: np.ndarray | None = None) -> int:
        """How many texts are longer than `max_tokens`, special tokens included, so that `encode` truncates them.

        With `counts`, consecutive texts in groups of these sizes count once per group (see `inputs.kinds.rows_of`).
        """
        longer = np.array([len(window) > 1 for window in self.windows(texts, 2)], dtype=bool)
        together = longer if counts is None else np.repeat(np.arange(len(counts)), counts)[longer]
        return int(longer.sum()) if counts is None else len(set(together.tolist()))

    def windows(self, texts: Sequence[Text], most: int | None = None) -> list[list[np.ndarray]]:
        """Each text as windows of at most `max_tokens` ids, each with special tokens; raises as `encode`.

        If both texts of a pair are cut, every part of the first is read with every part of the second. `most`: how many
        windows are wanted, if not all; there may be more, and those after the first may lack the token types of a pair.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be a list of texts; wrap one text in a list")
        self._file.check_lengths(texts)
        found: list[list[np.ndarray] | None] = (
            [None] * len(texts)
            if (words := self._words) is None
            else self._file.run(lambda: words.windows(texts, whole=most != 1), texts)
        )
        rest = [number for number, rows in enumerate(found) if rows is None]
        pairs = [number for number in rest if self._cuts_itself(texts[number], most)]
        for number, encoding in zip(pairs, self._encodings(texts, pairs, whole=True), strict=True):
            found[number] = self._cut_pair(encoding, most)
        rest = [number for number in rest if found[number] is None]
        for number, encoding in zip(rest, self._encodings(texts, rest), strict=True):
            # Truncated tokens are kept as the overflow of an encoding; a text that fits has none.
            parts = [encoding] if most == 1 else [encoding, *encoding.overflowing]
            found[number] = [_row(texts[number], part) for part in parts]
            if len(encoding.ids) > self.max_tokens:
                raise TokenizerFileError(self.path, f"it does not cut texts at {self.max_tokens} tokens")
        return [rows for rows in found if rows is not None]

    def _cuts_itself(self, text: Any, most: int | None) -> bool:
        """Whether this is a pair that `_cut_pair` cuts, and not the library.

        The library makes all windows, however few are wanted, as many as the product of two lengths. And its later ones
        lack the token types of the second text (`encode_batch_fast` of 0.23).
        """
        if not isinstance(text, list | tuple) or len(text) != 2:
            return False
        characters = sum(len(part) for part in text if isinstance(part, str))
        room = self.max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=True)
        return room >= len(text) and (most is None or characters > _LONG_PAIR * self.max_tokens)

    @cached_property
    def _uncut(self) -> RustTokenizer:
        """The library's object without truncation."""
        library = RustTokenizer.from_str(self._tokenizer.to_str())
        library.no_truncation()
        return library

    def _cut_pair(self, encoding: Encoding, most: int | None) -> list[np.ndarray]:
        """The windows of a pair that was tokenized whole, as the library cuts it; see `windows`."""
        ids = np.stack([encoding.ids, encoding.type_ids], axis=1).astype(np.int32)
        if len(ids) <= self.max_tokens:
            return [ids]
        owner = np.array([-1 if which is None else which for which in encoding.sequence_ids])
        special, first, second = (np.flatnonzero(owner == which) for which in (-1, 0, 1))
        room = self.max_tokens - len(special)
        # The longer text is cut; both are, to equal parts, if the shorter one has more than half.
        half = room // 2 if len(first) <= len(second) else room - room // 2
        size = min(len(first), max(half, room - len(second)))
        parts = self._parts(first, size), self._parts(second, room - size)
        return [ids[np.sort(np.concatenate([special, *pair]))] for pair in islice(product(*parts), most)]

    def _parts(self, places: np.ndarray, size: int) -> list[np.ndarray]:
        """Runs of `size` of these places, which repeat `overlap` of the one before; the last may be shorter."""
        count = max(1, -(-(len(places) - self._overlap) // (size - self._overlap))) if len(places) > size else 1
        starts = [number * (size - self._overlap) for number in range(count)]
        if self.side == "right":
            return [places[start : start + size] for start in starts]
        return [places[max(0, len(places) - start - size) : len(places) - start] for start in starts]

    def _encodings(self, texts: Sequence[Text], chosen: Sequence[int], whole: bool = False) -> list[Encoding]:
        """The library's encodings of the texts with these indices, cut unless `whole`."""
        if not chosen:
            return []
        try:
            wanted = [text if isinstance(text, str) else tuple(text) for text in (texts[number] for number in chosen)]
            return self._file.run(lambda: self._asked(self._uncut if whole else self._tokenizer, wanted), wanted)
        except TypeError:
            for number, text in enumerate(texts, start=1):
                parts = (text,) if isinstance(text, str) else text
                if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
                    raise TypeError(f"text {number} is neither a string nor two of them, but {text!r:.60}") from None
                check_whole(f"text {number}", *parts)
            raise

    def _asked(self, library: RustTokenizer, texts: Sequence[Any]) -> list[Encoding]:
        if self._one_core:
            return [library.encode_batch_fast([text])[0] for text in texts]
        return list(library.encode_batch_fast(texts))

    @property
    def special_ids(self) -> tuple[int, ...]:
        """The ids of the special tokens around every text."""
        return self._file.parts.special_ids

    @property
    def largest_id(self) -> int:
        """The largest id that any text can have."""
        return self._file.parts.largest_id

    @property
    def remembers_words(self) -> bool:
        """Whether the ids of most texts are assembled from those of words (`words.cache`)."""
        return self._words is not None

    def forget_words(self) -> None:
        """Empty the word cache, so that texts take as long as texts of unknown words; their ids are the same."""
        if self._words is not None:
            self._words.forget()

    @property
    def vocabulary_size(self) -> int:
        return self._tokenizer.get_vocab_size()


def truncation_side(tokenizer: RustTokenizer) -> str:
    """The side on which texts that are too long are truncated: "right", or "left" if the tokenizer's file says so."""
    return str((tokenizer.truncation or {}).get("direction", "right")).lower()


def _row(text: Text, encoding: Encoding) -> np.ndarray:
    if isinstance(text, str):
        return np.asarray(encoding.ids, dtype=np.int32)
    return np.stack([encoding.ids, encoding.type_ids], axis=1).astype(np.int32)
