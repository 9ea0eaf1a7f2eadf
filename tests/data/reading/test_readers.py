"""Readers: what is accepted, and for everything else an error with file, line and remedy."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from leanformer.data.reading.readers import read_rows
from leanformer.errors import DataError


def refusal(path: Path, content: str | bytes, kind: str = "classification") -> DataError:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read_rows(path, kind)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    assert caught.value.remedy in str(caught.value)
    return caught.value


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(
        '{"text": "a", "label": "x", "id": 7}\n\n{"text": "b", "label": 3}\r\n{"text": "c", "label": null}\n'
    )
    rows = read_rows(path)
    assert [(row.line, row.text, row.label) for row in rows] == [(1, "a", "x"), (3, "b", "3"), (4, "c", None)]


def test_byte_order_mark_is_stripped(tmp_path: Path) -> None:
    for name, content in (("a.jsonl", '{"text": "a"}'), ("a.csv", "text\na\n"), ("a.txt", "a\n")):
        (tmp_path / name).write_text(content, encoding="utf-8-sig")
        assert [row.text for row in read_rows(tmp_path / name)] == ["a"]


def test_csv_with_quotes_line_ends_and_empty_label(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text('label,text,extra\nx,"one, ""two""\nthree",1\n\n,four,2\n')
    rows = read_rows(path)
    assert [(row.line, row.text, row.label) for row in rows] == [(3, 'one, "two"\nthree', "x"), (5, "four", None)]


def test_tsv_and_text(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("text\tlabel\none, two\tx\n")
    assert [(row.text, row.label) for row in read_rows(tmp_path / "a.tsv")] == [("one, two", "x")]
    (tmp_path / "a.txt").write_text("one\n\n  two\r\nthree")
    assert [(row.line, row.text) for row in read_rows(tmp_path / "a.txt")] == [(1, "one"), (3, "  two"), (4, "three")]


def test_very_long_csv_field_and_the_limit_is_given_back(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    (tmp_path / "a.csv").write_text("text,label\n" + "word " * 100_000 + ",x\n")
    assert len(read_rows(tmp_path / "a.csv")[0].text) == 500_000
    assert csv.field_size_limit() == limit


def test_pairs(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "text_pair": "b", "label": "x"}\n')
    assert read_rows(path, "pair")[0].pair == "b"
    error = refusal(path, '{"text": "a", "hypothesis": "b"}\n', "pair")
    assert "line 1: no key 'text_pair'" in str(error)
    assert error.remedy == "rename 'hypothesis' to 'text_pair'"
    assert "line 1: 'text_pair' is empty" in str(refusal(path, '{"text": "a", "text_pair": ""}\n', "pair"))
    assert "no column 'text_pair'" in str(refusal(tmp_path / "a.csv", "text,label\na,b\n", "pair"))
    assert "cannot hold pairs" in str(refusal(tmp_path / "a.txt", "a\n", "pair"))


def test_a_second_text_is_never_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for second in ('"b"', "5", '["b"]'):
        error = refusal(path, '{"text": "a"}\n{"text": "a", "text_pair": ' + second + "}\n")
        assert "line 2: a second text ('text_pair'), but these are single texts" in str(error)
        assert "join the two texts yourself" in error.remedy
    assert "line 2: a second text" in str(refusal(tmp_path / "b.csv", "text,text_pair,label\na,b,x\n"))
    path.write_text('{"text": "a", "text_pair": null}\n{"text": "a", "text_pair": ""}\n')
    assert [row.pair for row in read_rows(path)] == [None, None]


def test_broken_json_names_column(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": "b",}\n')
    assert error.line == 2
    assert "line 2: not valid JSON" in str(error)
    assert "column" in str(error)
    assert "line 1: not readable as JSON" in str(refusal(tmp_path / "a.jsonl", "[" * 100_000))
    assert "line 1: not readable as JSON" in str(refusal(tmp_path / "a.jsonl", '{"text": ' + "1" * 5000 + "}"))


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "3", "null", "NaN"])
def test_a_line_that_is_no_object(tmp_path: Path, line: str) -> None:
    error = refusal(tmp_path / "a.jsonl", '{"text": "a"}\n' + line + "\n")
    assert error.line == 2
    assert "not an object" in str(error)


@pytest.mark.parametrize("name", ["sentence", "content", "review", "utterance", "Text", "TEXT", "Sentence"])
def test_missing_text_suggests_a_renaming(tmp_path: Path, name: str) -> None:
    error = refusal(tmp_path / "a.jsonl", f'{{"text": "a"}}\n{{"idx": 1, "{name}": "b"}}\n')
    assert f"line 2: no key 'text'; the keys there are 'idx', '{name}'" in str(error)
    assert error.remedy == f"rename '{name}' to 'text'"
    error = refusal(tmp_path / "a.csv", f"idx,{name}\n1,b\n")
    assert error.line == 1
    assert f"rename '{name}' to 'text'" in str(error)


def test_missing_text_without_a_likely_name(tmp_path: Path) -> None:
    assert "no key 'text'; the keys there are 'q'" in str(refusal(tmp_path / "a.jsonl", '{"q": "b"}'))
    assert "there are no keys at all" in str(refusal(tmp_path / "a.jsonl", "{}"))


@pytest.mark.parametrize(
    ("value", "named"), [("true", "a truth value"), ("0.5", "a decimal number"), ("[1]", "a list"), ("{}", "an object")]
)
def test_label_of_the_wrong_type(tmp_path: Path, value: str, named: str) -> None:
    error = refusal(tmp_path / "a.jsonl", f'{{"text": "a", "label": 1}}\n{{"text": "b", "label": {value}}}\n')
    assert f"line 2: the label is {named}" in str(error)
    assert "write it as a string" in error.remedy


def test_blank_label(tmp_path: Path) -> None:
    assert "line 1: the label is an empty string" in str(refusal(tmp_path / "a.jsonl", '{"text": "a", "label": " "}'))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('""', "'text' is empty"),
        ('" \\t "', "nothing but white space"),
        ("3", "an integer (3), not a string"),
        ("null", "null, not a string"),
        ('"a\\u0000b"', "a NUL character"),
        ('"a\\ud83d"', "half of a surrogate pair"),
    ],
)
def test_text_that_is_no_text(tmp_path: Path, value: str, problem: str) -> None:
    error = refusal(tmp_path / "a.jsonl", f'{{"text": "a"}}\n{{"text": {value}}}\n')
    assert error.line == 2
    assert problem in str(error)


def test_empty_text_in_a_table(tmp_path: Path) -> None:
    assert "line 3: 'text' is empty" in str(refusal(tmp_path / "a.csv", "text,label\na,x\n,y\n"))


def test_wrong_number_of_fields(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a.csv", "text,label\na,x\nb, c,y\n")
    assert "line 3: the row has 3 fields, but the header has 2 (text, label)" in str(error)
    assert "quote fields" in error.remedy
    assert "line 2: the row has 1 fields" in str(refusal(tmp_path / "a.tsv", "text\tlabel\na x\n"))


def test_header_is_needed(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a.csv", "a good film,positive\na bad one,negative\n")
    assert "line 1: no column 'text'; the columns there are 'a good film', 'positive'" in str(error)
    assert "two columns are named 'label'" in str(refusal(tmp_path / "a.csv", "text,label,label\na,b,c\n"))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_empty_file(tmp_path: Path, name: str, content: bytes) -> None:
    assert "the file holds no examples" in str(refusal(tmp_path / name, content))


def test_header_alone(tmp_path: Path) -> None:
    assert "the file holds no examples" in str(refusal(tmp_path / "a.csv", "text,label\n"))


def test_unknown_extension(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a.parquet", b"PAR1")
    assert "unknown extension '.parquet'; .jsonl, .csv, .tsv, .txt, .conll can be read" in str(error)


def test_missing_path_names_what_is_near(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").touch()
    with pytest.raises(DataError, match=r"trian\.jsonl: no such file or folder\n.*did you mean train\.jsonl"):
        read_rows(tmp_path / "trian.jsonl")
    with pytest.raises(DataError, match=r"next to it there is train\.jsonl"):
        read_rows(tmp_path / "zzz")
    with pytest.raises(DataError, match=r"nowhere: no such file or folder; next to it there is train\.jsonl"):
        read_rows(tmp_path / "nowhere" / "deep" / "a.jsonl")
    with pytest.raises(DataError, match="a folder, not a file"):
        read_rows(tmp_path)
