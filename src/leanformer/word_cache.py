"""Ids of the words between spaces, remembered, for tokenizers whose words do not look at their neighbours.

The ids of a text are then those of its words, one after the other, and looking a word up costs far less than cutting
it up again. A "word" is whatever stands between two spaces, punctuation, control characters and all, and its ids are
what the tokenizer itself gives for it alone: nothing of the tokenizer is written a second time here. So all that has to
hold is that a space keeps its two sides apart, which `dependence` decides from the tokenizer's parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np
from tokenizers import Tokenizer as RustTokenizer

# Each looks at one character at a time or (NFD and its like) at one character and the marks that follow it. A space
# is never a part of a composed character, so none of them reaches across it.
_NORMALIZERS = {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"}
# Space, tab and the ends of lines part words here, and are gone afterwards.
_SPLITTERS = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit"}
# After one of those, these look at one word each.
_WITHIN_WORDS = _SPLITTERS | {"Digits", "Punctuation"}
_MODELS = {"WordPiece", "WordLevel", "BPE"}
_ITEM = np.dtype(np.int32).itemsize
_PROBES = ("", "a", "The cat, 3.5 [MASK]\tx!", "ﬁn é\nİ", ("a b", "c"), ("", "d"))


@dataclass(frozen=True)
class Template:
    """What the post-processor sets around one text or two.

    Attributes:
        parts: ids of special tokens as bytes, and 0 or 1 for the place of the first or the second text.
        types: token type of each part.
        room: most ids that the texts may have together.
    """

    parts: tuple[bytes | int, ...]
    types: tuple[int, ...]
    room: int

    def ids(self, bodies: Sequence[bytes | bytearray]) -> np.ndarray:
        """Ids int32 `[tokens]` of texts whose own ids are `bodies`."""
        filled = bytearray().join([bodies[one] if isinstance(one, int) else one for one in self.parts])
        return np.frombuffer(filled, np.int32)

    def pair(self, bodies: Sequence[bytes]) -> np.ndarray:
        """Ids and token types int32 `[tokens, 2]` of two texts."""
        lengths = [len(bodies[one] if isinstance(one, int) else one) // _ITEM for one in self.parts]
        return np.stack([self.ids(bodies), np.repeat(np.array(self.types, np.int32), lengths)], axis=1)


class WordCache:
    """Ids of texts by way of the ids of their words; safe to use from several threads.

    Args:
        tokenizer: one of which `dependence` says nothing, with truncation on.
        max_tokens: special tokens included.
        overlap: of windows.
        words: most words to remember; when there are more, the older half is forgotten.
        one_core: look unknown words up one by one; the library takes all cores for several.
    """

    # Longer "words" are addresses, bytes in base 64, or scripts without spaces, and seldom come twice.
    LONGEST = 64
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
    ) -> None:
        self._tokenizer, self._words, self._one_core = tokenizer, words, one_core
        self._known: dict[str, bytes] = {}
        self._lock = Lock()
        self.single = _template(tokenizer, max_tokens, pair=False)
        self.pair = _template(tokenizer, max_tokens, pair=True)
        self._overlap = overlap

    @classmethod
    def of(cls, tokenizer: RustTokenizer, max_tokens: int, **options: Any) -> WordCache | None:
        """A cache for a tokenizer whose words stand alone, and that leaves room for more than `overlap`; or None."""
        if dependence(tokenizer) is not None:
            return None
        cache = cls(tokenizer, max_tokens, **options)
        if cache.single is None or cache.single.room <= cache._overlap:
            return None
        # The parts have been looked at one by one; that together they do what was read from them is tried.
        for probe, ours in zip(_PROBES, cache.windows(_PROBES, whole=False), strict=True):
            theirs = tokenizer.encode_batch_fast([probe])[0]
            expected = [theirs.ids] if isinstance(probe, str) else [theirs.ids, theirs.type_ids]
            if ours is not None and np.atleast_2d(ours[0].T).tolist() != expected:
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
                flat.extend((text,) if isinstance(text, str) else _two(text))
            bodies = iter(self._bodies(flat, None if whole else self._enough))
            for text in group:
                if isinstance(text, str):
                    result.append(self._cut(next(bodies), whole))
                else:
                    result.append(self._joined([next(bodies) for _ in _two(text)]))
        return result

    @property
    def _enough(self) -> int:
        """So many ids fill the longest window of a text."""
        return max(one.room for one in (self.single, self.pair) if one is not None) + 1

    def _cut(self, body: bytes | None, whole: bool) -> list[np.ndarray] | None:
        if body is None or self.single is None:
            return None
        room = self.single.room * _ITEM
        if len(body) <= room or not whole:
            return [self.single.ids([body[:room]])]
        step = room - self._overlap * _ITEM
        # The last window is the first that reaches the end.
        starts = range(0, len(body) - room + step, step)
        return [self.single.ids([body[start : start + room]]) for start in starts]

    def _joined(self, bodies: Sequence[bytes | None]) -> list[np.ndarray] | None:
        """A pair that fits; which text of a longer pair is cut, and where, is the tokenizer's affair."""
        known = [one for one in bodies if one is not None]
        if self.pair is None or len(known) != 2 or sum(map(len, known)) > self.pair.room * _ITEM:
            return None
        return [self.pair.pair(known)]

    def _bodies(self, texts: Sequence[str], enough: int | None) -> list[bytes | None]:
        """Ids of each text's words, as bytes: all of them, or at least the first `enough` where it has so many."""
        result: list[bytes | None] = []
        late, missing = [], set()
        for number, text in enumerate(texts):
            try:
                result.append(self._body(text, enough))
            except KeyError:
                late.append(number)
                missing.update(_split(text, -1 if enough is None else enough))
                result.append(None)
        if late:
            self._learn(missing)
        for number in late:
            try:
                result[number] = self._body(texts[number], enough)
            except KeyError:
                continue  # it has a word that is not kept, or another thread has needed the place
        return result

    def _body(self, text: str, enough: int | None) -> bytes:
        """Raises `KeyError` for a word that is not known."""
        if enough is not None and len(text) > 2 * enough:
            # What is cut off need not be looked at, but for being a text.
            *head, rest = _split(text, enough)
            ids = b"".join(map(self._known.__getitem__, head))
            if len(ids) >= enough * _ITEM and _is_text(rest):
                return ids
        return b"".join(map(self._known.__getitem__, _split(text, -1)))

    def _learn(self, words: Iterable[str]) -> None:
        """Ask the tokenizer for the ids of words that are not known yet."""
        wanted = (one for one in words if len(one) <= self.LONGEST and one not in self._known)
        new = list(islice(wanted, self._words // 2))
        ask = self._tokenizer.encode_batch_fast
        try:
            if self._one_core:
                found = [ask([one], add_special_tokens=False)[0] for one in new]
            else:
                found = ask(new, add_special_tokens=False)
        except TypeError:
            return  # half a surrogate pair: `Tokenizer` says in which text
        # Truncation is on for words too. One that it cuts is not known.
        learnt = {
            word: np.array(one.ids, np.int32).tobytes()
            for word, one in zip(new, found, strict=True)
            if not one.overflowing
        }
        with self._lock:
            if len(self._known) + len(learnt) > self._words:
                for word in list(islice(self._known, self._words // 2)):
                    del self._known[word]
            self._known.update(learnt)


def dependence(tokenizer: RustTokenizer) -> str | None:
    """Why the ids of a word may depend on the words beside it; None where they cannot.

    They cannot where the normaliser works on single characters, the pre-tokenizer parts words at white space before it
    does anything else, the model cuts up one word at a time and always in the same way, the post-processor only sets
    special tokens around, and no added token has white space in it. That is BERT and its kin; byte-level BPE and
    SentencePiece keep the space as a part of the next word.
    """
    for name in _kinds(tokenizer.normalizer, "normalizers"):
        if name not in _NORMALIZERS:
            return f"the normaliser {name}"
    pre_tokenizers = _kinds(tokenizer.pre_tokenizer, "pretokenizers")
    if not pre_tokenizers or pre_tokenizers[0] not in _SPLITTERS:
        return f"the pre-tokenizer {pre_tokenizers[0] if pre_tokenizers else 'is missing'}"
    for name in pre_tokenizers:
        if name not in _WITHIN_WORDS:
            return f"the pre-tokenizer {name}"
    model = type(tokenizer.model).__name__
    if model not in _MODELS:
        return f"the model {model}"
    if getattr(tokenizer.model, "dropout", None):
        return "the model's dropout"
    if tokenizer.post_processor is not None and _state(tokenizer.post_processor)["type"] not in (
        "TemplateProcessing",
        "BertProcessing",
    ):
        return f"the post-processor {_state(tokenizer.post_processor)['type']}"
    for token in tokenizer.get_added_tokens_decoder().values():
        # What the normaliser makes of it is looked for where the token is "normalized"; plain ASCII stays in one piece.
        if not token.content.isascii() or not token.content.isprintable() or " " in token.content:
            return f"the added token {token.content!r}"
    return None


def _state(part: Any) -> dict[str, Any]:
    """A part of a tokenizer as it stands in tokenizer.json."""
    return dict(json.loads(part.__getstate__()))


def _kinds(part: Any, members: str) -> list[str]:
    """The type of a part, or the types of all its parts; none for a part that is not there."""
    return [] if part is None else _flat(_state(part), members)


def _flat(state: dict[str, Any], members: str) -> list[str]:
    if state["type"] != "Sequence":
        return [str(state["type"])]
    return [name for one in state[members] for name in _flat(one, members)]


def _template(tokenizer: RustTokenizer, max_tokens: int, *, pair: bool) -> Template | None:
    """What surrounds one text or two; None where a text does not stand there exactly once."""
    texts = {"A": 0, "B": 1} if pair else {"A": 0}
    state = {} if tokenizer.post_processor is None else _state(tokenizer.post_processor)
    parts: list[bytes | int]
    if not state:
        parts, types = list(texts.values()), list(texts.values())
    elif state["type"] == "BertProcessing":
        first, last = (np.array([state[name][1]], np.int32).tobytes() for name in ("cls", "sep"))
        parts, types = ([first, 0, last, 1, last], [0, 0, 0, 1, 1]) if pair else ([first, 0, last], [0, 0, 0])
    else:
        parts, types = [], []
        for piece in state["pair" if pair else "single"]:
            ((kind, one),) = piece.items()
            ids = () if kind == "Sequence" else state["special_tokens"][one["id"]]["ids"]
            parts.append(texts.get(one["id"], -1) if kind == "Sequence" else np.array(ids, np.int32).tobytes())
            types.append(one["type_id"])
    if sorted(one for one in parts if isinstance(one, int)) != list(texts.values()):
        return None
    special = sum(len(one) // _ITEM for one in parts if isinstance(one, bytes))
    return Template(tuple(parts), tuple(types), max_tokens - special)


def _split(text: str, most: int) -> list[str]:
    for other in "\n\t\r":
        if other in text:
            text = text.replace(other, " ")
    return text.split(" ", most)


def _is_text(text: str) -> bool:
    """Whether it is free of halves of surrogate pairs."""
    try:
        return text.isascii() or bool(text.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _two(text: Any) -> Sequence[str]:
    """The texts of a pair; none of what is no pair of texts."""
    if isinstance(text, tuple | list) and len(text) == 2 and all(isinstance(one, str) for one in text):
        return text
    return ()
