"""JSON from anywhere: read as others read it, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.strict_json import parse_json, read_json


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested too deeply"),
        (b"[NaN]", "no number of JSON"),
        (b"-Infinity", "no number of JSON"),
        (b"1e999", "too large"),
        (b"[" + b"9" * 5000 + b"]", "digits"),
        (b'["\\ud83d"]', "half of a surrogate pair"),
        (b'{"\\uDC00": 1}', "half of a surrogate pair"),
        (b"\xff\xfe", "utf-8"),
        (b"", "Expecting value"),
        (b"{} {}", "Extra data"),
    ],
    ids=range(11),
)
def test_what_is_no_json_is_refused_in_a_sentence(content: bytes, said: str):
    with pytest.raises(ValueError, match=said):
        parse_json(content)


def test_whole_pairs_of_surrogates_are_letters():
    assert parse_json(b'["\\ud83d\\ude00"]') == ["\U0001f600"]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path):
    (tmp_path / "x.json").write_text("[1, 2, 3]")
    assert read_json(tmp_path / "x.json", most_bytes=9) == [1, 2, 3]
    with pytest.raises(ValueError, match="more than 8 bytes"):
        read_json(tmp_path / "x.json", most_bytes=8)
