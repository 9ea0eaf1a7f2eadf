"""Texts to token ids, with the `tokenizers` library alone, the same for training, export and runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Encoding
from tokenizers import Tokenizer as RustTokenizer

from leanformer.errors import CheckpointError, DataError
from leanformer.task import Text
from leanformer.words.cache import WordCache


class Tokenizer:
    """A `tokenizer.json` with truncation to `max_tokens` and no padding; of a pair the longer text is cut first.

    Args:
        path: the file.
        max_tokens: special tokens included.
        overlap: how many tokens of a window `windows` repeats in the next one.
        one_core: never take more than the core that calls. Otherwise what the word cache cannot answer is spread over
            the threads of the library, as many as the process has cores ($RAYON_NUM_THREADS, read at their first use).
        cache: keep the ids of words (`words.cache`), where the tokenizer allows it; the ids are the same without.

    Raises `CheckpointError` when the file cannot be read as a tokenizer.
    """

    def __init__(
        self, path: Path | str, max_tokens: int, *, overlap: int = 0, one_core: bool = False, cache: bool = True
    ) -> None:
        try:
            self._tokenizer = RustTokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for every kind of broken file
            raise CheckpointError(f"{path}: not a readable tokenizer.json ({error})") from error
        self.path, self.max_tokens = path, max_tokens
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_tokens, stride=overlap)
        self._one_core = one_core
        self._words = WordCache.of(self._tokenizer, max_tokens, overlap=overlap, one_core=one_core) if cache else None

    def encode(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """Token ids of each text, special tokens included: one int32 array `[tokens]` per text.

        Of a pair of texts the array is `[tokens, 2]`: token ids, and token types, which tell its two texts apart.
        Raises `TypeError` for a bare string and for what is no text, `DataError` for half a surrogate pair.
        """
        return [one[0] for one in self._windows(texts, whole=False)]

    def count_longer(self, texts: Sequence[Text]) -> int:
        """How many texts are longer than `max_tokens`, special tokens included, so that `encode` cuts them."""
        return sum(len(one) > 1 for one in self.windows(texts))

    def windows(self, texts: Sequence[Text]) -> list[list[np.ndarray]]:
        """Each text whole, as windows of at most `max_tokens` ids, each with its special tokens; errors of `encode`."""
        return self._windows(texts, whole=True)

    def _windows(self, texts: Sequence[Text], *, whole: bool) -> list[list[np.ndarray]]:
        """The windows of each text, or the first alone unless `whole`."""
        if isinstance(texts, str):
            raise TypeError("texts must be a list of texts; wrap one text in a list")
        found: list[list[np.ndarray] | None] = (
            [None] * len(texts) if self._words is None else self._words.windows(texts, whole=whole)
        )
        rest = [number for number, one in enumerate(found) if one is None]
        for number, one in zip(rest, self._encodings(texts, rest), strict=True):
            # What truncation cuts off is kept as the overflow of an encoding; a text that fits has none.
            found[number] = [_row(texts[number], part) for part in (one, *(one.overflowing if whole else ()))]
        return [one for one in found if one is not None]

    def _encodings(self, texts: Sequence[Text], chosen: Sequence[int]) -> list[Encoding]:
        """What the library makes of the texts with these numbers."""
        if not chosen:
            return []
        try:
            wanted = [one if isinstance(one, str) else tuple(one) for one in (texts[number] for number in chosen)]
            if self._one_core:
                return [self._tokenizer.encode_batch_fast([one])[0] for one in wanted]
            return list(self._tokenizer.encode_batch_fast(wanted))
        except TypeError:
            for number, text in enumerate(texts, start=1):
                parts = (text,) if isinstance(text, str) else text
                if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
                    raise TypeError(f"text {number} is neither a string nor two of them, but {text!r:.60}") from None
                if any("\ud800" <= letter <= "\udfff" for part in parts for letter in part):
                    raise DataError(
                        f"text {number} has half of a surrogate pair, which is no character",
                        remedy="decode the bytes as what they are, or text.encode('utf-8', 'replace').decode()",
                    ) from None
            raise

    @property
    def remembers_words(self) -> bool:
        """Whether the ids of most texts are put together from those of words (`words.cache`)."""
        return self._words is not None

    @property
    def vocabulary_size(self) -> int:
        return self._tokenizer.get_vocab_size()


def _row(text: Text, one: Encoding) -> np.ndarray:
    if isinstance(text, str):
        return np.asarray(one.ids, dtype=np.int32)
    return np.stack([one.ids, one.type_ids], axis=1).astype(np.int32)
