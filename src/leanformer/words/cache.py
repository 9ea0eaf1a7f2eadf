"""Ids of the words between spaces, remembered, for tokenizers whose words do not look at their neighbours.

The ids of a text are then those of its words, one after the other, and looking a word up costs far less than cutting
it up again. A "word" is whatever stands between two spaces, punctuation, control characters and all, and its ids are
what the tokenizer itself gives for it alone: nothing of the tokenizer is written a second time here. So all that has to
hold is that a space keeps its two sides apart, which `dependence` decides from the tokenizer's parts.
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

# Letters of a text to look at for each id that is wanted; in English there are four or five to an id.
_LETTERS = 8
_PROBES = ("", "a", "The cat, 3.5 [MASK]\tx!", "ﬁn é\nİ", ("a b", "c"), ("", "d"))


class WordCache:
    """Ids of texts by way of the ids of their words; safe to use from several threads.

    Args:
        tokenizer: one of which `dependence` says nothing, with truncation on.
        max_tokens: special tokens included.
        overlap: of windows.
        cut_left: texts too long lose their beginning; what is cut is then the tokenizer's affair.
        words: most words to remember; when there are more, the older half is forgotten.
        one_core: look unknown words up one by one; the library takes all cores for several.
    """

    # Longer "words" are addresses, bytes in base 64, or whole sentences of scripts without spaces: they seldom come
    # twice. Much longer ones are no words, and the tokenizer shall see the text.
    LONGEST_KEPT, LONGEST = 48, 1024
    # A word alone costs the library as much as about so many words of a text. Where more are new, it gets the text, and
    # a new word is learnt when it comes a second time: most never do.
    _DEAR = 5
    # Texts are read in such groups, so that the words that a group lacks can be looked up together.
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
        """See `forking`: what is known stays known, and no thread of the parent holds the lock here."""
        self._lock = Lock()

    def forget(self) -> None:
        """Know no word any more, as when it was made."""
        with self._lock:
            # New ones, for another thread may be reading the old ones.
            self._known, self._met = {}, set()

    @classmethod
    def of(cls, tokenizer: RustTokenizer, max_tokens: int, **options: Any) -> WordCache | None:
        """A cache for a tokenizer whose words stand alone, and that leaves room for more than `overlap`; or None."""
        if dependence(tokenizer) is not None:
            return None
        cache = cls(tokenizer, max_tokens, **options)
        if cache.single is None or cache.single.room <= cache._overlap:
            return None
        # The parts have been looked at one by one; that together they do what was read from them is tried.
        for _ in range(2):  # new words first have to be met
            cache.windows(_PROBES)
        for probe, ours in zip(_PROBES, cache.windows(_PROBES, whole=False), strict=True):
            if ours is not None:
                theirs = tokenizer.encode_batch_fast([probe])[0]
                expected = [theirs.ids] if isinstance(probe, str) else [theirs.ids, theirs.type_ids]
                if np.atleast_2d(ours[0].T).tolist() != expected:
                    return None
        return cache

    def windows(self, texts: Sequence[Any], *, whole: bool = True) -> list[list[np.ndarray] | None]:
        """Of each text what `Tokenizer.windows` gives, or unless `whole` the first window of it.

        None where the tokenizer itself has to be asked, which holds for everything that is not a text.
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
        """So many ids fill the longest window of a text."""
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
        """A pair that fits; which text of a longer pair is cut, and where, is the tokenizer's affair."""
        known = [body for body in bodies if body is not None]
        if self.pair is None or len(known) != 2 or sum(map(len, known)) > self.pair.room * ITEM:
            return None
        return [self.pair.pair(known)]

    def _bodies(self, texts: Sequence[str], enough: int | None) -> list[bytes | None]:
        """Ids of each text's words, as bytes: all of them, or at least the first `enough` where it has so many."""
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
                # What it still lacks the tokenizer cut off, or another thread has needed the place of.
                with suppress(KeyError):
                    result[number] = self._body(
                        texts[number], enough, lambda word: learnt[word] if word in learnt else known[word]
                    )
        return result

    def _met_before(self, words: set[str]) -> set[str]:
        """Those of the unknown words that have been asked about before."""
        # Only their hashes are kept, for words from anywhere may be long; one taken for another is learnt too soon.
        with self._lock:
            again = {word for word in words if hash(word) in self._met}
            if len(self._met) > self._words:
                self._met.clear()
            self._met.update(map(hash, words - again))
            self._met.difference_update(map(hash, again))
        return again

    def _body(self, text: str, enough: int | None, ids_of: Callable[[str], bytes]) -> bytes:
        """Raises `KeyError` for a word that is not known."""
        if enough is not None and len(head := _head(text, enough)) < len(text):
            ids = b"".join(map(ids_of, _split(head)))
            # What is cut off need not be looked at, but for being a text.
            if len(ids) >= enough * ITEM and _is_text(text):
                return ids
        return b"".join(map(ids_of, _split(text)))

    def _learn(self, words: Iterable[str]) -> dict[str, bytes]:
        """Ask the tokenizer for the ids of words that are not known yet, and keep those that may come again."""
        wanted = (word for word in words if len(word) <= self.LONGEST and word not in self._known)
        new = list(islice(wanted, self._words // 2))
        ask = self._tokenizer.encode_batch_fast
        try:
            if self._one_core:
                found = [ask([word], add_special_tokens=False)[0] for word in new]
            else:
                found = ask(new, add_special_tokens=False)
        except TypeError:
            return {}  # half a surrogate pair: `Tokenizer` says in which text
        # Truncation is on for words too. One that it cuts is not known.
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
    # The end of a line parts words as a space does. Tabs do too, but are seldom enough to stay inside a "word".
    return (text.replace("\n", " ") if "\n" in text else text).split(" ")


def _head(text: str, enough: int) -> str:
    """So many words that they most likely have `enough` ids; all of a text that is not much longer."""
    if len(text) <= 2 * _LETTERS * enough:
        return text
    head = text[: _LETTERS * enough]
    # Without a space in it, it is no more than half a word.
    return head[: max(head.rfind(" "), head.rfind("\n"))] if " " in head or "\n" in head else text


def _is_text(text: str) -> bool:
    """Whether it is free of halves of surrogate pairs."""
    try:
        return text.isascii() or bool(text.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _two(text: Any) -> Sequence[str]:
    """The texts of a pair; none of what is no pair of texts."""
    if isinstance(text, tuple | list) and len(text) == 2 and all(isinstance(part, str) for part in text):
        return text
    return ()
