"""A `tokenizer.json` from anywhere: refused when it is opened, or at the latest for the text."""

from __future__ import annotations

import base64
import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from leanformer.errors import ArtifactError, CheckpointError, DataError, TokenizerFileError
from leanformer.tagging.windows import SentenceTokenizer
from leanformer.tokenizer import Tokenizer
from leanformer.tokenizer_file import read
from leanformer.tokenizer_file.read import in_time, read_tokenizer
from tests.making.tiny import tiny_tokenizer


def replace(found: str, content: str, kind: str = "String") -> dict[str, Any]:
    return {"type": "Replace", "pattern": {kind: found}, "content": content}


def several(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(parts)}


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def nested(depth: int) -> dict[str, Any]:
    value = replace("a", "b")
    for _ in range(depth):
        value = several(value)
    return value


def charsmap(*texts: str) -> dict[str, Any]:
    blob = struct.pack("<I", 4) + bytes(4) + b"\0".join(text.encode() for text in texts) + b"\0"
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(blob).decode()}


def tokenizer(folder: Path, **changes: Any) -> Path:
    path = tiny_tokenizer(folder)
    value = json.loads(path.read_text(encoding="utf-8"))
    model = value["model"] | changes.pop("model", {})
    path.write_text(json.dumps(value | changes | {"model": model}), encoding="utf-8")
    return path


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a text 10,000 times as long": ({"normalizer": replace("a", "a" * 10_000)}, "10,000 times as long"),
    "the same by a pattern": ({"normalizer": replace("", "a" * 100, "Regex")}, "times as long"),
    "the same by a map": ({"normalizer": charsmap("x" * 5000)}, "times as long"),
    "a map that is cut": ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "precompiled map"),
    "a map that is no base 64": ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "é"}}, "precompiled"),
    "depth": ({"normalizer": nested(100)}, "nested too deeply"),
    "too many parts": ({"normalizer": several(*[replace("a", "b")] * 500)}, "500 entries"),
    "an unknown normaliser": ({"normalizer": {"type": "Explode"}}, "unknown normaliser"),
    "a normaliser that is a text": ({"normalizer": "lowercase"}, "not an object"),
    "a replacement by a number": (
        {"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": 1}},
        "text",
    ),
    "a pattern that backtracks": ({"pre_tokenizer": split("(a+)+$")}, "repeats a group"),
    "the same in the decoder": ({"decoder": replace("(a|aa)*$", "", "Regex")}, "repeats a group"),
    "an unknown pre-tokenizer": ({"pre_tokenizer": {"type": "Guess"}}, "unknown pre-tokenizer"),
    "pieces of no length": ({"pre_tokenizer": {"type": "FixedLength", "length": 0}}, "length"),
    "a post-processor that is none": ({"post_processor": {"type": "TemplateProcessing"}}, "tokenizer.json"),
    "no vocabulary": ({"model": {"vocab": {}}}, "no pieces"),
    "an id below zero": ({"model": {"vocab": {"a": -1, "[UNK]": 0}}}, "tokenizer.json"),
    "an id beyond 31 bits": ({"model": {"vocab": {"a": 2**31, "[UNK]": 0}}}, "largest id"),
    "an id that is a text": ({"model": {"vocab": {"a": "1"}}}, "no whole number"),
    "an added id beyond 31 bits": ({"added_tokens": [{"id": 2**40, "content": "x"}]}, "added_tokens"),
    "words of any length": ({"model": {"max_input_chars_per_word": 10**9}}, "max_input_chars_per_word"),
    "a piece without end": ({"model": {"vocab": {"[UNK]": 0, "a" * 20_000: 1}}}, "a piece of 20,000"),
    "an unknown model": ({"model": {"type": "Oracle"}}, "Oracle"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_safely_is_refused_when_it_is_opened(tmp_path: Path, what: str):
    changes, said = REFUSED[what]
    path = tokenizer(tmp_path, **changes)
    for kind in (Tokenizer, SentenceTokenizer):
        with pytest.raises(TokenizerFileError, match=said) as caught:
            kind(path, 32)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n  remedy: " in str(caught.value)
        assert isinstance(caught.value, ArtifactError)
        assert isinstance(caught.value, CheckpointError)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\x80\x04K\x01.", b"[" * 5000, b"PK\x03\x04"], ids=str)
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(TokenizerFileError, match=r"not a readable tokenizer\.json"):
        Tokenizer(tmp_path / "tokenizer.json", 32)


def test_a_tokenizer_that_leaves_no_room_is_refused(tmp_path: Path):
    with pytest.raises(TokenizerFileError, match="it sets 2 tokens around a text, and the model reads 1"):
        Tokenizer(tokenizer(tmp_path), 1)


@pytest.mark.parametrize(
    "parts", [[replace("a", "a" * 50)] * 6, [replace("a", "a" * 40, "Regex")] * 6], ids=["text", "any"]
)
def test_texts_are_bounded_after_normalising(tmp_path: Path, parts: list[dict[str, Any]]):
    path = tokenizer(tmp_path, normalizer=several(*parts))
    for work in (Tokenizer(path, 32).encode, SentenceTokenizer(path, 32).windows):
        assert len(work(["song"])) == 1, "what stays short is read"
        with pytest.raises(DataError, match=r"(?s)2 becomes longer than 16,777,216 characters.*remedy"):
            work(["song", "a a a"])


def test_texts_are_bounded_before_normalising(tmp_path: Path):
    path = tokenizer(tmp_path)
    for work in (Tokenizer(path, 32).encode, SentenceTokenizer(path, 32).windows):
        with pytest.raises(DataError, match=r"(?s)2 has 4,194,305 characters.*remedy: give it in parts"):
            work(["song", "a" * (read.MOST_CHARACTERS + 1)])


def test_what_grows_within_bounds_is_read_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tokenizer(tmp_path, normalizer=several({"type": "NFKD"}, {"type": "Lowercase"}, replace("q", "qq")))
    expected = Tokenizer(path, 32).encode(["Quiet song ﷺ"])[0].tolist()
    monkeypatch.setattr(read, "MOST_NORMALISED", 60)  # so that each step is looked at
    assert Tokenizer(path, 32).encode(["Quiet song ﷺ"])[0].tolist() == expected
    with pytest.raises(DataError, match="becomes longer than 60"):
        Tokenizer(path, 32).encode(["q" * 31])


def test_patterns_are_bounded_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read, "PATTERN_SECONDS", 0.05)
    with pytest.raises(DataError, match=r"(?s)took more than 0 seconds.*the longest is text 2.*remedy"):
        in_time(lambda: time.sleep(1), ["a", "aa"])
    monkeypatch.undo()
    plain = Tokenizer(tokenizer(tmp_path / "plain"), 32).encode(["song team"])
    path = tokenizer(tmp_path / "split", pre_tokenizer=split(r"\w+|\s+"))
    assert read_tokenizer(path).parts.has_patterns
    assert len(Tokenizer(path, 32).encode(["song team"])[0]) == len(plain[0]) + 1, "a space is a piece there"


@pytest.mark.parametrize("cache", [False, True])
def test_what_the_library_cannot_do_with_a_text_is_said_with_the_file(tmp_path: Path, cache: bool):
    path = tokenizer(tmp_path, model={"unk_token": "[NONE]"})
    with pytest.raises(TokenizerFileError, match=r"(?s)tokenizer\.json: cannot be used \(.*remedy"):
        Tokenizer(path, 32, cache=cache).encode(["Ω"])


def test_ids_of_every_part_count(tmp_path: Path):
    path = tokenizer(tmp_path)
    assert Tokenizer(path, 32).special_ids == (2, 3)
    largest = Tokenizer(path, 32).largest_id
    value = json.loads(path.read_text(encoding="utf-8"))
    value["post_processor"]["special_tokens"]["[SEP]"]["ids"] = [largest + 7]
    path.write_text(json.dumps(value), encoding="utf-8")
    assert Tokenizer(path, 32).largest_id == largest + 7


def test_a_template_that_names_what_it_does_not_explain_is_refused(tmp_path: Path):
    path = tokenizer(tmp_path)
    value = json.loads(path.read_text(encoding="utf-8"))
    del value["post_processor"]["special_tokens"]["[CLS]"]
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(TokenizerFileError, match="a piece that is not explained"):
        Tokenizer(path, 32)
