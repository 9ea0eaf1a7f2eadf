"""Texts to token ids, with the `tokenizers` library alone, the same for training, export and runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Encoding
from tokenizers import Tokenizer as RustTokenizer

from leanformer.errors import CheckpointError
from leanformer.task import Text


class Tokenizer:
    """A `tokenizer.json` with truncation to `max_tokens` and no padding; of a pair the longer text is cut first.

    Raises `CheckpointError` when the file cannot be read as a tokenizer.
    """

    def __init__(self, path: Path | str, max_tokens: int) -> None:
        try:
            self._tokenizer = RustTokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for every kind of broken file
            raise CheckpointError(f"{path}: not a readable tokenizer.json ({error})") from error
        self.max_tokens = max_tokens
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_tokens)

    def encode(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """Token ids of each text, special tokens included: one int32 array `[tokens]` per text.

        Of a pair of texts the array is `[tokens, 2]`: token ids, and token types, which tell its two texts apart.
        """
        return [
            np.asarray(one.ids, dtype=np.int32)
            if isinstance(text, str)
            else np.stack([one.ids, one.type_ids], axis=1).astype(np.int32)
            for text, one in zip(texts, self._encodings(texts), strict=True)
        ]

    def count_longer(self, texts: Sequence[Text]) -> int:
        """How many texts are longer than `max_tokens`, special tokens included, so that `encode` cuts them."""
        # What truncation cuts off is kept as the overflow of an encoding; a text that fits has none.
        return sum(bool(one.overflowing) for one in self._encodings(texts))

    def _encodings(self, texts: Sequence[Text]) -> list[Encoding]:
        return self._tokenizer.encode_batch_fast([text if isinstance(text, str) else tuple(text) for text in texts])

    @property
    def vocabulary_size(self) -> int:
        return self._tokenizer.get_vocab_size()
