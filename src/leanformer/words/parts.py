"""Properties of a tokenizer's parts: whether words are independent, and which tokens surround a text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer as RustTokenizer

# Each processes one character at a time or (NFD and the like) one character and the marks that follow it. A space
# is never part of a composed character, so none of them crosses it.
_NORMALIZERS = {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"}
# These split at spaces, tabs and line breaks, and remove them.
_SPLITTERS = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit"}
# After a splitter, these process one word at a time.
_WITHIN_WORDS = _SPLITTERS | {"Digits", "Punctuation"}
_MODELS = {"WordPiece", "WordLevel", "BPE"}
ITEM = np.dtype(np.int32).itemsize


@dataclass(frozen=True)
class Template:
    """The special tokens that the post-processor adds around one text or two.

    Attributes:
        around: ids of special tokens, as bytes: before the first text, between the two, after the last.
        order: which text comes first, (0,) for one, (0, 1) or (1, 0) for two.
        types: token type of each part, special tokens and texts alternating.
        room: maximum number of ids for the texts together.
    """

    around: tuple[bytes, ...]
    order: tuple[int, ...]
    types: tuple[tuple[int, ...], ...]
    room: int

    def ids(self, bodies: Sequence[bytes]) -> np.ndarray:
        """Ids, int32 `[tokens]`, for texts whose own ids are `bodies`."""
        parts = [self.around[0]]
        for number, behind in zip(self.order, self.around[1:], strict=True):
            parts += (bodies[number], behind)
        return np.frombuffer(bytearray().join(parts), np.int32)

    def pair(self, bodies: Sequence[bytes]) -> np.ndarray:
        """Ids and token types, int32 `[tokens, 2]`, of two texts."""
        types: list[int] = list(self.types[0])
        for number, place in zip(self.order, range(1, len(self.types), 2), strict=True):
            types += self.types[place] * (len(bodies[number]) // ITEM)
            types += self.types[place + 1]
        return np.stack([self.ids(bodies), np.array(types, np.int32)], axis=1)


def dependence(tokenizer: RustTokenizer) -> str | None:
    """Why the ids of a word may depend on neighbouring words; None if they cannot.

    They cannot if all of the following hold. The normaliser works on single characters. The pre-tokenizer splits at
    white space before doing anything else. The model tokenizes one word at a time and deterministically. The
    post-processor only adds special tokens around the text. No added token contains white space. This applies to BERT
    and similar tokenizers; byte-level BPE and SentencePiece keep the space as part of the next word.
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
        # A "normalized" token is searched for in its normalised form; plain ASCII stays in one piece.
        if not token.content.isascii() or not token.content.isprintable() or " " in token.content:
            return f"the added token {token.content!r}"
    return None


def _state(part: Any) -> dict[str, Any]:
    """The state of a tokenizer's part, as in tokenizer.json."""
    return dict(json.loads(part.__getstate__()))


def _kinds(part: Any, members: str) -> list[str]:
    """The type of a part, or the types of all its parts; empty if the part is missing."""
    return [] if part is None else _flat(_state(part), members)


def _flat(state: dict[str, Any], members: str) -> list[str]:
    if state["type"] != "Sequence":
        return [str(state["type"])]
    return [name for part in state[members] for name in _flat(part, members)]


def template(tokenizer: RustTokenizer, max_tokens: int, *, pair: bool) -> Template | None:
    """The surroundings of one text or two; None if a text does not occur exactly once."""
    around, order = [b""], list[int]()
    types: list[tuple[int, ...]] = [()]
    for ids, text, kind in _pieces(tokenizer.post_processor, pair):
        if text is None:
            around[-1] += np.array(ids, np.int32).tobytes()
            types[-1] += (kind,) * len(ids)
        else:
            around.append(b"")
            order.append(text)
            types += [(kind,), ()]
    if sorted(order) != ([0, 1] if pair else [0]):
        return None
    special = sum(len(part) // ITEM for part in around)
    return Template(tuple(around), tuple(order), tuple(types), max_tokens - special)


def _pieces(post_processor: Any, pair: bool) -> Iterator[tuple[list[int], int | None, int]]:
    """In order: ids of special tokens, or the number of a text, and the token type."""
    state: dict[str, Any] = {} if post_processor is None else _state(post_processor)
    if "single" in state:
        for piece in state["pair" if pair else "single"]:
            ((kind, part),) = piece.items()
            if kind == "Sequence":
                yield [], "AB".index(part["id"]), part["type_id"]
            else:
                yield state["special_tokens"][part["id"]]["ids"], None, part["type_id"]
        return
    first, last = ([state[name][1]] if name in state else [] for name in ("cls", "sep"))
    yield first, None, 0
    for text in (0, 1) if pair else (0,):
        yield [], text, text
        yield last, None, text
