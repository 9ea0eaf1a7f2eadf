"""Opens a `tokenizer.json`, and keeps what is asked of it within bounds of length and time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from tokenizers import Tokenizer as RustTokenizer

from leanformer.errors import DataError, TokenizerFileError
from leanformer.strict_json import parse_json, read_bounded
from leanformer.tokenizer_file.parts import Parts, parts_of, replaced

MOST_CHARACTERS = 1 << 22
"""Of a text; about 700,000 English words."""
MOST_NORMALISED = 1 << 24
"""Of a text after normalising."""
# With regular expressions the library may take this long, and so much longer for every million characters.
PATTERN_SECONDS, SECONDS_PER_MILLION = 20.0, 20.0
_SHORTER = "give it in parts"
Result = TypeVar("Result")


@dataclass(frozen=True)
class TokenizerFile:
    """A tokenizer that was looked through: the library's object, and what of its parts bears on texts."""

    path: Path | str
    library: RustTokenizer
    parts: Parts

    @cached_property
    def _free(self) -> int:
        """Texts up to so many characters cannot become too long."""
        return min(MOST_CHARACTERS, (MOST_NORMALISED - self.parts.added) // self.parts.growth)

    @cached_property
    def _steps(self) -> list[tuple[dict[str, Any], Any]]:
        """Each normaliser by itself."""
        empty = {"type": "WordLevel", "vocab": {"": 0}, "unk_token": ""}
        return [
            (
                part,
                RustTokenizer.from_str(json.dumps({"version": "1.0", "normalizer": part, "model": empty})).normalizer,
            )
            for part in self.parts.normalizers
        ]

    def check_lengths(self, texts: Sequence[Any], what: str = "text") -> None:
        """Raise `DataError` for a text, or a pair of them, that is too long or becomes so; others are passed over."""
        if set(map(type, texts)) == {str} and max(map(len, texts)) <= self._free:
            return
        for number, text in enumerate(texts, start=1):
            for part in (text,) if isinstance(text, str) else text if isinstance(text, list | tuple) else ():
                if isinstance(part, str) and len(part) > self._free:
                    self._check_length(part, f"{what} {number}")

    def _check_length(self, text: str, what: str) -> None:
        if len(text) > MOST_CHARACTERS:
            raise DataError(
                f"{what} has {len(text):,} characters, and a model is given {MOST_CHARACTERS:,} at most",
                remedy=_SHORTER,
            )
        for part, step in self._steps:
            longer = len(text)
            if part["type"] == "Replace":
                found, content = replaced(part)
                longer = text.count(found) * len(content) if found else (len(text) + 1) * len(content)
            if longer <= MOST_NORMALISED:
                text = step.normalize_str(text)
            if max(longer, len(text)) > MOST_NORMALISED:
                raise DataError(
                    f"{what} becomes longer than {MOST_NORMALISED:,} characters in the normaliser {part['type']} of "
                    f"{self.path}",
                    remedy=f"{_SHORTER}; if short texts fail too, recreate the artifact",
                )

    def run(self, work: Callable[[], Result], texts: Sequence[Any]) -> Result:
        """What `work`, a call of the library on these texts, gives.

        Raises `DataError` where patterns take too long, `TokenizerFileError` where the library fails, and `TypeError`
        as the library does for what is no text.
        """
        try:
            return in_time(work, texts) if self.parts.has_patterns else work()
        except (TypeError, DataError, MemoryError):
            raise
        except BaseException as error:
            if not _is_of_library(error):
                raise
            raise TokenizerFileError(self.path, f"cannot be used ({_said(error)})") from error


def read_tokenizer(path: Path | str) -> TokenizerFile:
    """Raises `TokenizerFileError` for a file that is no tokenizer, or one that could not be used safely."""
    try:
        content = read_bounded(Path(path))
        parts = parts_of(parse_json(content))
        return TokenizerFile(path, RustTokenizer.from_buffer(content), parts)
    except (ValueError, OSError) as error:
        raise TokenizerFileError(path, f"not a readable tokenizer.json ({error})") from error
    except BaseException as error:  # the library raises bare Exception for every kind of broken file
        if not _is_of_library(error):
            raise
        raise TokenizerFileError(path, f"not a readable tokenizer.json ({_said(error)})") from error


def in_time(work: Callable[[], Result], texts: Sequence[Any]) -> Result:
    """`work` on a thread of its own, which is left alone where it takes too long; it cannot be stopped.

    Raises `DataError` then, and otherwise whatever `work` does.
    """
    outcome: list[tuple[bool, Any]] = []

    def call() -> None:
        try:
            outcome.append((True, work()))
        except BaseException as error:
            outcome.append((False, error))

    characters = sum(len(text) if isinstance(text, str) else sum(map(len, text)) for text in texts)
    seconds = PATTERN_SECONDS + SECONDS_PER_MILLION * characters / 1e6
    thread = Thread(target=call, name="leanformer-tokenizer", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        longest = max(range(len(texts)), key=lambda i: len(texts[i]), default=0) + 1
        raise DataError(
            f"the tokenizer's patterns took more than {seconds:.0f} seconds on these texts; the longest is text "
            f"{longest}",
            remedy="leave out texts that repeat one character very often, or give them in parts",
        )
    good, result = outcome[0]
    if not good:
        raise result
    return result  # type: ignore[no-any-return]


def _is_of_library(error: BaseException) -> bool:
    """Whether it is an error of the library's, whose panics are no `Exception`."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _said(error: BaseException) -> str:
    return f"{error}"[:300] or type(error).__name__
