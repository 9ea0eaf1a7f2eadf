"""Texts to tokens and back, in the shapes of text-embeddings-inference: `/tokenize` and `/decode`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from leanformer.serve.http.inputs import checked, read_texts
from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import RequestLimits
from leanformer.task import Question
from leanformer.tokenizer_file.read import read_tokenizer

# About two milliseconds of work.
_INLINE_CHARACTERS = _INLINE_IDS = 1024
# Most requests with more work that are done at once; they share the interpreter with the event loop.
_LONG = 4
T = TypeVar("T")


class Tokens:
    """A model's `tokenizer.json` on whole texts. Raises `TokenizerFileError` if the file cannot be read as one."""

    def __init__(self, path: Path) -> None:
        self._file = read_tokenizer(path)
        self._file.library.no_truncation()
        self._file.library.no_padding()
        self.long = 0

    @property
    def largest_id(self) -> int:
        """The largest id in the vocabulary."""
        return max(self._file.library.get_vocab().values())

    def tokenize(self, texts: list[str], special: bool, most: int) -> list[list[dict[str, Any]]]:
        """The tokens of each text, with the special ones around it or without.

        `start` and `stop` (exclusive) are places of characters (Unicode code points) in the text, and `text` is that
        piece of it; a special token has its name instead, and no place. Raises `Refused` (413) for more than `most`
        tokens.
        """
        self._file.check_lengths(texts)
        library = self._file.library
        encodings = self._file.run(lambda: library.encode_batch(texts, add_special_tokens=special), texts)
        _check_count(sum(map(len, encodings)), most)
        return [
            [
                {"id": id_, "text": name, "special": True, "start": None, "stop": None}
                if added
                else {"id": id_, "text": text[start:stop], "special": False, "start": start, "stop": stop}
                for id_, name, added, (start, stop) in zip(
                    encoding.ids, encoding.tokens, encoding.special_tokens_mask, encoding.offsets, strict=True
                )
            ]
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def decode(self, rows: list[list[int]], skip_special: bool) -> list[str]:
        """The text of each row of ids. Raises `Refused` (422) for an id that is not in the vocabulary."""
        library = self._file.library
        for index, row in enumerate(rows):
            for id_ in row:
                if not 0 <= id_ < 1 << 32 or library.id_to_token(id_) is None:
                    raise Refused(422, f"ids[{index}]: {id_} is no id of this model's vocabulary")
        return library.decode_batch(rows, skip_special_tokens=skip_special)


async def tokenize(value: Any, limits: RequestLimits, tokens: Tokens) -> list[list[dict[str, Any]]]:
    """The response of `/tokenize` to a body, given as a JSON value. Raises `Refused` (413, 422, 429)."""
    fields = checked(value, ("inputs", "add_special_tokens", "prompt_name", "model"), 1)
    if fields.get("prompt_name") is not None:
        raise Refused(422, "prompt_name: this model has no prompts; put the prompt into the text")
    texts: list[Any] = read_texts(fields["inputs"], limits, _no_list)[0]
    special = _flag(fields, "add_special_tokens")
    short = sum(map(len, texts)) <= _INLINE_CHARACTERS
    return await _done(tokens, short, lambda: tokens.tokenize(texts, special, limits.queue_tokens))


async def decode(value: Any, limits: RequestLimits, tokens: Tokens) -> list[str]:
    """The response of `/decode` to a body, given as a JSON value. Raises `Refused` (413, 422, 429)."""
    fields = checked(value, ("ids", "skip_special_tokens", "model"), 1)
    given = fields["ids"]
    rows = given if isinstance(given, list) and given and isinstance(given[0], list) else [given]
    if not all(isinstance(row, list) and row and all(map(_is_id, row)) for row in rows):
        raise Refused(422, "ids: must be a list of token ids or a list of such lists, and not empty")
    if len(rows) > limits.texts:
        raise Refused(422, f"ids: {len(rows)} texts; the limit texts is {limits.texts}")
    count = sum(map(len, rows))
    _check_count(count, limits.queue_tokens)
    skip = _flag(fields, "skip_special_tokens")
    ids = [list(map(int, row)) for row in rows]
    return await _done(tokens, count <= _INLINE_IDS, lambda: tokens.decode(ids, skip))


async def _done(tokens: Tokens, short: bool, work: Callable[[], T]) -> T:
    """What `work` returns, done in a thread unless it is short. Raises `Refused` (429) if too much is being done."""
    if short:
        return work()
    if tokens.long >= _LONG:
        raise Refused(429, f"{_LONG} long requests are being read; no more are at once", {"retry-after": "1"})
    tokens.long += 1
    try:
        return await asyncio.to_thread(work)
    finally:
        tokens.long -= 1


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise Refused(413, f"the request has {count} tokens; the limit queue_tokens is {most}")


def _no_list(value: list[Any], where: str, limits: RequestLimits) -> Question:
    raise Refused(422, f"{where}: not a text")


def _flag(fields: dict[str, Any], name: str) -> bool:
    given = fields.get(name)
    if not isinstance(given, bool | None):
        raise Refused(422, f"{name}: must be true or false")
    return given is not False


def _is_id(value: Any) -> bool:
    """To JSON, 7.0 is an integer as well."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
