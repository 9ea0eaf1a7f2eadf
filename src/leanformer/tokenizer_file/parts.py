"""The parts of a `tokenizer.json`: which there may be, and how much longer a text can become in them."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from leanformer.schema import anything, fields, listed, named, nullable, number, text, whole
from leanformer.tokenizer_file.patterns import check_pattern, is_plain

MOST_PARTS, MOST_REPLACED = 64, 64
LONGEST_PIECE = 10_000
_ID = whole(0, 2**31 - 1)

# How many characters one may become at most, after Unicode's tables (16.0); BERT's sets spaces around Chinese ones.
_GROWTH = {
    "BertNormalizer": 12, "ByteLevel": 4, "Lowercase": 3, "NFC": 3, "NFD": 4, "NFKC": 18, "NFKD": 18, "Nmt": 1,
    "Strip": 1, "StripAccents": 1,
}  # fmt: skip
_PRE_TOKENIZERS = {
    *("BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "FixedLength", "Metaspace", "Punctuation"),
    *("Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit"),
}
_MODELS = ("BPE", "Unigram", "WordLevel", "WordPiece")

_MODEL = fields(
    {},
    {
        "type": text(100, among=_MODELS),
        # Words are looked through from both ends, which takes the square of their length.
        "max_input_chars_per_word": whole(0, 10_000),
        "continuing_subword_prefix": nullable(text(64)),
        "end_of_word_suffix": nullable(text(64)),
        "unk_token": nullable(text(LONGEST_PIECE)),
        "dropout": nullable(number(0, 1)),
    },
)
_TOKENIZER = fields(
    {"model": _MODEL},
    {
        "added_tokens": listed(fields({"id": _ID, "content": text(LONGEST_PIECE)}), most=1_000_000),
        "normalizer": nullable(named()),
        "pre_tokenizer": nullable(named()),
        "post_processor": nullable(named()),
        "decoder": nullable(named()),
        "truncation": nullable(anything),
        "padding": nullable(anything),
    },
)


@dataclass(frozen=True)
class Parts:
    """What of a tokenizer bears on how long it takes.

    Attributes:
        normalizers: in their order, as JSON.
        growth: how many times as many characters they can make of a text.
        added: how many further ones they can set in front of it.
        has_patterns: whether it has regular expressions that may go back over a text.
        largest_id: the largest that any part can give.
        special_ids: those that stand around every text.
    """

    normalizers: tuple[dict[str, Any], ...]
    growth: int
    added: int
    has_patterns: bool
    largest_id: int
    special_ids: tuple[int, ...]


def parts_of(value: Any) -> Parts:
    """Raises `ValueError` for parts that are not known, or that could make a text or the work on it endless."""
    _TOKENIZER(value, "tokenizer")
    normalizers = tuple(_flat(value.get("normalizer"), "normalizer", "normalizers"))
    pre_tokenizers = list(_flat(value.get("pre_tokenizer"), "pre_tokenizer", "pretokenizers"))
    growth = added = 1
    for part in normalizers:
        if part["type"] == "Prepend":
            text(1024)(part.get("prepend"), "tokenizer.normalizer.prepend")
            added += len(part["prepend"])
        else:
            grows = _growth(part)
            growth, added = growth * grows, added * grows
    for part in pre_tokenizers:
        if part["type"] not in _PRE_TOKENIZERS:
            raise ValueError(f"an unknown pre-tokenizer {part['type']!r:.60}")
        if part["type"] == "FixedLength":
            whole(1)(part.get("length", 1), "tokenizer.pre_tokenizer.length")
    patterns = [
        pattern
        for name in ("normalizer", "pre_tokenizer", "post_processor", "decoder")
        for pattern in _patterns(value.get(name))
    ]
    for pattern in patterns:
        check_pattern(pattern)
    special = _special_ids(value.get("post_processor"))
    pieces = _pieces(value["model"])
    ids = [*(token["id"] for token in value.get("added_tokens", ())), *special, pieces]
    return Parts(normalizers, growth, added, not all(map(is_plain, patterns)), max(ids), tuple(special))


def replaced(part: dict[str, Any]) -> tuple[str | None, str]:
    """The text that a Replace looks for, None for a regular expression, and what it puts there."""
    pattern = part.get("pattern")
    content = part.get("content")
    text(LONGEST_PIECE)(content, "tokenizer.normalizer.content")
    fields({}, {"String": text(LONGEST_PIECE), "Regex": text()})(pattern, "tokenizer.normalizer.pattern")
    assert isinstance(pattern, dict)
    return pattern.get("String"), str(content)


def _growth(part: dict[str, Any]) -> int:
    """How many characters this normaliser makes of one at most."""
    if part["type"] in _GROWTH:
        return _GROWTH[part["type"]]
    if part["type"] == "Replace":
        found, content = replaced(part)
        # A regular expression may match between any two characters.
        grows = len(content) + 1 if not found else -(-max(len(content), len(found)) // len(found))
    elif part["type"] == "Precompiled":
        grows = _longest_of(part)
    else:
        raise ValueError(f"an unknown normaliser {part['type']!r:.60}")
    if grows > MOST_REPLACED:
        raise ValueError(f"a normaliser ({part['type']}) makes a text {grows:,} times as long")
    return grows


def _longest_of(part: dict[str, Any]) -> int:
    """The longest of the texts that a map of SentencePiece puts in the place of characters."""
    written = part.get("precompiled_charsmap")
    if not isinstance(written, str):
        raise ValueError("a precompiled map that is not text")
    try:
        blob = base64.b64decode(written, validate=True)
        (size,) = struct.unpack_from("<I", blob)
    except (ValueError, struct.error) as error:
        raise ValueError(f"a precompiled map that cannot be read ({error})") from None
    if size % 4 or not 0 < size <= len(blob) - 4:
        raise ValueError("a precompiled map that is shorter than it says")
    return max(1, *(len(part) for part in blob[4 + size :].split(b"\0")))


def _flat(part: Any, place: str, members: str, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The parts of a sequence of sequences, one after the other."""
    if part is None:
        return
    fields({"type": text(100)})(part, f"tokenizer.{place}")
    if part["type"] != "Sequence":
        yield part
        return
    listed(named(), most=MOST_PARTS)(part.get(members), f"tokenizer.{place}.{members}")
    if depth > 8:
        raise ValueError(f"tokenizer.{place} is nested too deeply")
    count = 0
    for member in part[members]:
        for leaf in _flat(member, place, members, depth + 1):
            count += 1
            if count > MOST_PARTS:
                raise ValueError(f"tokenizer.{place} has more than {MOST_PARTS} parts")
            yield leaf


def _patterns(part: Any) -> Iterator[str]:
    """Every regular expression anywhere in a part."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "Regex":
                if not isinstance(value, str):
                    raise ValueError("a pattern that is not text")
                yield value
            else:
                yield from _patterns(value)
    elif isinstance(part, list):
        for value in part:
            yield from _patterns(value)


def _special_ids(part: Any) -> list[int]:
    """The ids that a post-processor sets around texts."""
    if not isinstance(part, dict):
        return []
    found: list[int] = []
    for processor in part.get("processors", ()) if isinstance(part.get("processors"), list) else ():
        found += _special_ids(processor)
    for name in ("cls", "sep"):
        pair = part.get(name)
        if isinstance(pair, list) and len(pair) == 2:
            _ID(pair[1], f"tokenizer.post_processor.{name}")
            found.append(pair[1])
    if part.get("type") == "TemplateProcessing":
        _check_template(part)
    tokens = part.get("special_tokens")
    for token in tokens.values() if isinstance(tokens, dict) else ():
        if isinstance(token, dict):
            listed(_ID, most=1000)(token.get("ids"), "tokenizer.post_processor.special_tokens.ids")
            found += token["ids"]
    return found


def _check_template(part: dict[str, Any]) -> None:
    """Raise `ValueError` for a template that names a special token which it does not explain."""
    place = "tokenizer.post_processor"
    named(fields({"ids": listed(_ID, most=1000)}))(part.get("special_tokens"), f"{place}.special_tokens")
    for name in ("single", "pair"):
        listed(named(fields({"id": text(LONGEST_PIECE), "type_id": _ID})), most=1000)(part.get(name), f"{place}.{name}")
        for piece in part[name]:
            known = {"Sequence": ("A", "B"), "SpecialToken": part["special_tokens"]}
            if len(piece) != 1 or any(
                kind not in known or token["id"] not in known[kind] for kind, token in piece.items()
            ):
                raise ValueError(f"{place}.{name} has a piece that is not explained")


def _pieces(model: dict[str, Any]) -> int:
    """The largest id of the model's own pieces. Raises `ValueError` for a piece that is far too long."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict) and vocabulary:
        if not all(type(piece_id) is int for piece_id in vocabulary.values()):
            raise ValueError("tokenizer.model.vocab has an id that is no whole number")
        largest = max(vocabulary.values())
        _ID(largest, "tokenizer.model.vocab: the largest id")
        longest = max(map(len, vocabulary))
    elif isinstance(vocabulary, list) and vocabulary:
        if not all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in vocabulary):
            raise ValueError("tokenizer.model.vocab has a piece that is not one with a score")
        largest, longest = len(vocabulary) - 1, max(len(pair[0]) for pair in vocabulary)
    else:
        raise ValueError("tokenizer.model.vocab has no pieces")
    if longest > LONGEST_PIECE:
        raise ValueError(f"tokenizer.model.vocab has a piece of {longest:,} characters")
    return int(largest)
