"""A cache of token ids per space-separated word, for tokenizers whose words do not depend on their neighbours.

The ids of a text are then those of its words, concatenated, and looking up a word costs far less than tokenizing it
again. A "word" is anything between two spaces, including punctuation and control characters, and its ids are those that
the tokenizer returns for it alone: no part of the tokenizer is reimplemented. The only requirement is that a space
separates its two sides, which `dependence` determines from the tokenizer's parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np
from tokenizers import Tokenizer as RustTokenizer

from leanformer.forking import tell_of_forks
from leanformer.words.parts import ITEM, dependence, template

# Letters of a text to examine per required id; English has four or five letters per id.
_LETTERS = 8
_PROBES = ("", "a", "The cat, 3.5 [MASK]\tx!", "ﬁn é\nİ", ("a b", "c"), ("", "d"))


class WordCache:
    """Token ids of texts, composed of the ids of their words; thread-safe.

    Args:
        tokenizer: a tokenizer for which `dependence` returns None, with truncation on.
        max_tokens: including special tokens.
        overlap: of windows.
        cut_left: texts that are too long are truncated at the beginning; the tokenizer itself then truncates them.
        words: maximum number of cached words; beyond it, the older half is dropped.
        one_core: look up unknown words one at a time; for several at once, the library uses all cores.
    """

    # Longer "words" are URLs, base64 data, or whole sentences of scripts without spaces: they rarely occur twice. Much
    # longer ones are not words, and the tokenizer gets the text.
    LONGEST_KEPT, LONGEST = 48, 1024
    # To the library, a single word costs as much as about this many words of a text. If more are new, it gets the text,
    # and
    # a new word is cached when it occurs a second time: most never do.
    _DEAR = 5
    # Texts are processed in groups of this size, so that a group's unknown words can be looked up together.
    _GROUP = 1024

    def __init__(
        self,
        tokenizer: RustTokenizer,
        max_tokens: int,
        *,
        overlap: int = 0,
        words: int = 65_536,
        one_core: bool = False,
        cut_left: bool = False,
    ) -> None:
        self._cut_left = cut_left
        self._tokenizer, self._words, self._one_core = tokenizer, words, one_core
        self._known: dict[str, bytes] = {}
        self._met: set[int] = set()
        self._lock = Lock()
        self.single = template(tokenizer, max_tokens, pair=False)
        self.pair = template(tokenizer, max_tokens, pair=True)
        self._overlap = overlap
        tell_of_forks(self)

    def begin_in_child(self) -> None:
        """See `forking`: the cache stays valid, and no thread of the parent holds the lock here."""
        self._lock = Lock()

    def forget(self) -> None:
        """Empty the cache."""
        with self._lock:
            # Replaced, not cleared, because another thread may be reading them.
            self._known, self._met = {}, set()

    @classmethod
    def of(cls, tokenizer: RustTokenizer, max_tokens: int, **options: Any) -> WordCache | None:
        """A cache for a tokenizer with independent words and room for more than `overlap` tokens; otherwise None."""
        if dependence(tokenizer) is not None:
            return None
        cache = cls(tokenizer, max_tokens, **options)
        if cache.single is None or cache.single.room <= cache._overlap:
            return None
        # The parts have been checked individually; here the result is verified for all of them together.
        for _ in range(2):  # new words must occur once before they are cached
            cache.windows(_PROBES)
        for probe, ours in zip(_PROBES, cache.windows(_PROBES, whole=False), strict=True):
            if ours is not None:
                theirs = tokenizer.encode_batch_fast([probe])[0]
                expected = [theirs.ids] if isinstance(probe, str) else [theirs.ids, theirs.type_ids]
                if np.atleast_2d(ours[0].T).tolist() != expected:
                    return None
        return cache

    def windows(self, texts: Sequence[Any], *, whole: bool = True) -> list[list[np.ndarray] | None]:
        """For each text the result of `Tokenizer.windows`, or without `whole` only its first window.

        None if the tokenizer itself must be used, which includes everything that is not a text.
        """
        result: list[list[np.ndarray] | None] = []
        for start in range(0, len(texts), self._GROUP):
            group = texts[start : start + self._GROUP]
            flat: list[str] = []
            for text in group:
                flat += (text,) if isinstance(text, str) else _two(text)
            bodies = iter(self._bodies(flat, None if whole or self._cut_left else self._enough))
            for text in group:
                if isinstance(text, str):
                    result.append(self._cut(next(bodies), whole))
                else:
                    result.append(self._joined([next(bodies) for _ in _two(text)]))
        return result

    @property
    def _enough(self) -> int:
        """The number of ids that fills the longest window of a text."""
        return max(pattern.room for pattern in (self.single, self.pair) if pattern is not None) + 1

    def _cut(self, body: bytes | None, whole: bool) -> list[np.ndarray] | None:
        if body is None or self.single is None:
            return None
        room = self.single.room * ITEM
        if len(body) > room and self._cut_left:
            return None
        if len(body) <= room or not whole:
            before, behind = self.single.around
            return [np.frombuffer(bytearray().join((before, body[:room], behind)), np.int32)]
        step = room - self._overlap * ITEM
        # The last window is the first that reaches the end.
        starts = range(0, len(body) - room + step, step)
        return [self.single.ids((body[start : start + room],)) for start in starts]

    def _joined(self, bodies: Sequence[bytes | None]) -> list[np.ndarray] | None:
        """A pair that fits; a longer pair is truncated by the tokenizer itself."""
        known = [body for body in bodies if body is not None]
        if self.pair is None or len(known) != 2 or sum(map(len, known)) > self.pair.room * ITEM:
            return None
        return [self.pair.pair(known)]

    def _bodies(self, texts: Sequence[str], enough: int | None) -> list[bytes | None]:
        """Ids of each text's words, as bytes: all of them, or at least the first `enough` if it has that many."""
        result: list[bytes | None] = []
        late, missing = [], set[str]()
        for number, text in enumerate(texts):
            try:
                result.append(self._body(text, enough, self._known.__getitem__))
            except KeyError:
                words = _split(text if enough is None else _head(text, enough))
                new = {word for word in words if word not in self._known}
                result.append(None)
                if len(new) * self._DEAR <= len(words):
                    late.append(number)
                else:
                    new = self._met_before(new)
                missing |= new
        if missing:
            learnt, known = self._learn(missing), self._known
            for number in late:
                # Words still missing were truncated by the tokenizer, or dropped because another thread needed their
                # place.
                with suppress(KeyError):
                    result[number] = self._body(
                        texts[number], enough, lambda word: learnt[word] if word in learnt else known[word]
                    )
        return result

    def _met_before(self, words: set[str]) -> set[str]:
        """The unknown words that were requested before."""
        # Only hashes are stored, because words may be long; with a hash collision, a word is merely cached too early.
        with self._lock:
            again = {word for word in words if hash(word) in self._met}
            if len(self._met) > self._words:
                self._met.clear()
            self._met.update(map(hash, words - again))
            self._met.difference_update(map(hash, again))
        return again

    def _body(self, text: str, enough: int | None, ids_of: Callable[[str], bytes]) -> bytes:
        """The ids of a text's words. Raises `KeyError` for an unknown word."""
        if enough is not None and len(head := _head(text, enough)) < len(text):
            ids = b"".join(map(ids_of, _split(head)))
            # The truncated part only has to be valid text.
            if len(ids) >= enough * ITEM and _is_text(text):
                return ids
        return b"".join(map(ids_of, _split(text)))

    def _learn(self, words: Iterable[str]) -> dict[str, bytes]:
        """Tokenize words that are not cached yet, and cache those that are likely to recur."""
        wanted = (word for word in words if len(word) <= self.LONGEST and word not in self._known)
        new = list(islice(wanted, self._words // 2))
        ask = self._tokenizer.encode_batch_fast
        try:
            if self._one_core:
                found = [ask([word], add_special_tokens=False)[0] for word in new]
            else:
                found = ask(new, add_special_tokens=False)
        except TypeError:
            return {}  # half a surrogate pair: `Tokenizer` reports the text that has it
        # Truncation applies to words too. A truncated word is not cached.
        learnt = {
            word: np.array(encoding.ids, np.int32).tobytes()
            for word, encoding in zip(new, found, strict=True)
            if not encoding.overflowing
        }
        kept = {word: ids for word, ids in learnt.items() if len(word) <= self.LONGEST_KEPT}
        with self._lock:
            if len(self._known) + len(kept) > self._words:
                for word in list(islice(self._known, self._words // 2)):
                    del self._known[word]
            self._known.update(kept)
        return learnt


def _split(text: str) -> list[str]:
    # A line break separates words like a space. Tabs do too, but are rare enough to stay inside a "word".
    return (text.replace("\n", " ") if "\n" in text else text).split(" ")


def _head(text: str, enough: int) -> str:
    """A prefix with most likely `enough` ids, ending with a complete word; the whole text if it is not much longer."""
    if len(text) <= 2 * _LETTERS * enough:
        return text
    head = text[: _LETTERS * enough]
    # Without a space in it, the prefix is only part of a word.
    return head[: max(head.rfind(" "), head.rfind("\n"))] if " " in head or "\n" in head else text


def _is_text(text: str) -> bool:
    """Whether the text contains no half of a surrogate pair."""
    try:
        return text.isascii() or bool(text.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _two(text: Any) -> Sequence[str]:
    """The texts of a pair; empty if it is not a pair of texts."""
    if isinstance(text, tuple | list) and len(text) == 2 and all(isinstance(part, str) for part in text):
        return text
    return ()
