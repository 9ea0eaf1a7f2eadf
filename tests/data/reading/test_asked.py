"""Files of questions: a row for each line, in its place, whatever it is."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from leanformer.bulk import Asked
from leanformer.data.reading.asked import read_asked
from leanformer.errors import DataError, LeanformerError
from leanformer.inputs.kinds import input_of
from leanformer.task import Task

SINGLE, PAIRS = Task("classification", ("a", "b")), Task("pair", ("a", "b"))
TAGS = Task("tokens", ("O", "B-X", "I-X"))


def read(path: Path, content: str | bytes, task: Task = SINGLE, **keep: str) -> list[Asked]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_asked(path, task, keep))


def short(rows: list[Asked]) -> list[Any]:
    """What is asked in each row, or what is wrong with it."""
    return [row.question if row.problem is None else row.problem.problem.partition(";")[0] for row in rows]


def test_lines_of_text(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.txt", "\ufeffone\n\n two \r\n \u200b\n\x07\n\xe9\nlast")
    assert short(rows) == ["one", "an empty text", " two ", "an empty text", "an empty text", "é", "last"]
    assert [row.number for row in rows] == list(range(1, 8))
    assert (
        str(rows[1].problem)
        == f"{tmp_path / 'a.txt'}, line 2: an empty text\n  remedy: give the row a text, or remove it"
    )


def test_bytes_that_are_no_text_cost_their_line_alone(tmp_path: Path) -> None:
    for name, head in (("a.txt", b""), ("a.csv", b"text\n"), ("a.jsonl", b"")):
        lines = [b"good", b"caf\xe9", b"nul \0 inside", b"end"]
        if name == "a.jsonl":
            lines = [b'{"text": "' + line + b'"}' for line in lines]
        found = short(read(tmp_path / name, head + b"\n".join(lines)))
        assert [found[0], found[3]] == ["good", "end"], name
        assert "not UTF-8 (byte 0xe9)" in found[1] and "NUL" in found[2], name


def test_a_file_that_is_of_another_format_as_a_whole_is_refused(tmp_path: Path) -> None:
    for content, said in (("a\nb\n".encode("utf-16"), "UTF-16"), (b"", "no texts")):
        with pytest.raises(DataError, match=said):
            read(tmp_path / "a.txt", content)
    for name, said in (("none.txt", "no such file"), ("a.pdf", "unknown extension")):
        (tmp_path / "a.pdf").write_bytes(b"x")
        with pytest.raises(DataError, match=said):
            list(read_asked(tmp_path / name, SINGLE))


LINES = [
    '{"text": "one", "id": 7, "label": "x"}', "", "{oops", '"a text"', '{"text": 3}', '{"body": "x"}', '{"text": " "}',
    '{"text": "\\ud800"}', '{"text": "a", "text_pair": "b"}', "[" * 100_000, '{"text": "last", "id": {"of": [1]}}',
]  # fmt: skip


def test_json_lines(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.jsonl", "\n".join(LINES) + "\n", label="gold")
    found = short(rows)
    assert [found[0], found[-1]] == ["one", "last"] and len(rows) == len(LINES)
    for number, said in enumerate(
        ("an empty text", "not valid JSON", "a JSON str", "not a string", "no key 'text'", "an empty text", "surrogate",
         "a second text", "JSON"), start=1,
    ):  # fmt: skip
        assert said in found[number], number
    assert rows[0].kept == {"id": 7, "gold": "x"} and rows[-1].kept == {"id": {"of": [1]}, "gold": None}
    assert rows[8].question == "a", "the text is shown with its error"


def test_pairs_want_both_texts(tmp_path: Path) -> None:
    assert short(read(tmp_path / "a.jsonl", '{"premise": "a", "hypothesis": "b"}\n{"text": "a"}\n', PAIRS)) == [
        ("a", "b"), "no second text ('text_pair'), and the model was made for pairs",
    ]  # fmt: skip
    with pytest.raises(DataError, match="lines of text cannot hold pairs"):
        read(tmp_path / "a.txt", "a\n", PAIRS)


TABLE = """id,text,when
1,one,x
2,"a "quote in it,x

3,,x
,,
4,"open,x
5,five,x
6,too,many,fields
7,few
8,"two
lines",x
9,"a ""quoted"" one",x,,
10,last,x
"""


def test_tables(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.csv", TABLE, when="when")
    found = short(rows)
    assert [row.number for row in rows] == list(range(1, 13))
    assert [found[i] for i in (0, 6, 9, 10, 11)] == ["one", "five", "two\nlines", 'a "quoted" one', "last"]
    for number in (1, 5):
        assert "not a row of a table" in found[number], number
    assert [found[i] for i in (2, 3, 4)] == ["an empty text"] * 3
    assert "the row has 4 fields, but the header has 3" in found[7] and "the row has 2 fields" in found[8]
    assert rows[11].kept == {"id": "10", "when": "x"} and rows[3].kept == {"id": "3", "when": "x"}
    assert rows[11].where.endswith("a.csv, line 14")


def test_a_quote_that_is_never_closed_costs_its_line_alone(tmp_path: Path) -> None:
    lines = ["text,n", *(f"row {number},{number}" for number in range(50))]
    lines[10] = '"row 9,9'
    found = short(read(tmp_path / "a.csv", "\n".join(lines) + "\n"))
    assert len(found) == 50 and "not closed" in found[9]
    assert [text for number, text in enumerate(found) if number != 9] == [f"row {n}" for n in range(50) if n != 9]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "sep=;\ntext;id\none;1\ntwo;2\n"),
        ("a.csv", "\ntext;id\none;1\ntwo;2\n"),
        ("a.tsv", "text\tid\none\t1\ntwo\t2\n"),
        ("a.csv", '\ufeff"text","id"\r\n"one","1"\r\n"two","2"\r\n'),
        ("a.csv", "text,id\rone,1\rtwo,2\r"),
    ],
)
def test_tables_of_many_programs(tmp_path: Path, name: str, content: str) -> None:
    rows = read(tmp_path / name, content)
    assert short(rows) == ["one", "two"] and [row.kept for row in rows] == [{"id": "1"}, {"id": "2"}]


def test_quotes_of_a_tsv_file_are_letters(tmp_path: Path) -> None:
    assert short(read(tmp_path / "a.tsv", 'text\tn\n"so" he said\t1\n"never closed\t2\nlast\t3\n')) == [
        '"so" he said', '"never closed', "last",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("review,n\na,1\n", "rename 'review' to 'text'"),
        ("text,text\na,b\n", "two columns are named 'text'"),
        ("\n\n", "no texts"),
        ("text,n\n", "no texts"),
        ('"text,n\na,1\n', "not a row of a table"),
    ],
)
def test_a_table_without_a_header_that_names_its_texts_is_refused(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path / "a.csv", content)


def test_a_column_that_is_not_there_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'whem' to be kept; the columns are text, when"):
        read(tmp_path / "a.csv", "text,when\na,1\n", whem="whem")
    with pytest.raises(DataError, match="no row has the key 'whem'"):
        read(tmp_path / "a.jsonl", '{"text": "a", "when": 1}\n', whem="whem")
    with pytest.raises(LeanformerError, match="lines of text have no columns"):
        read(tmp_path / "a.txt", "a\n", when="when")
    with pytest.raises(LeanformerError, match="has a 'label' of its own"):
        read(tmp_path / "a.csv", "text,label\na,1\n", label="label")


def test_words_to_be_tagged(tmp_path: Path) -> None:
    assert short(read(tmp_path / "a.txt", "Hello,  world! \n\nno\n", TAGS)) == [
        "Hello,  world! ",
        "an empty text",
        "no",
    ]
    lines = '{"text": "Hi,  you"}\n{"words": ["Hi", ","], "tags": ["O", "O"]}\n{"words": []}\n{"words": "Hi"}\n'
    found = short(read(tmp_path / "a.jsonl", lines, TAGS))
    assert found[:2] == ["Hi,  you", ["Hi", ","]] and found[2:] == [
        "'words' is empty",
        "'words' is not a list of strings",
    ]
    assert short(read(tmp_path / "a.conll", "Hi O\n, O\n\nyou O\n", TAGS)) == [["Hi", ","], ["you"]]
    assert short(read(tmp_path / "a.csv", "id,text\n1,Hi you\n", TAGS)) == ["Hi you"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfone\r\n\ncaf\xe9\nlast")))
    rows = list(read_asked(Path("-"), SINGLE))
    assert short(rows)[:2] == ["one", "an empty text"] and "not UTF-8" in short(rows)[2] and short(rows)[3] == "last"
    assert str(rows[1].problem).startswith("standard input, line 2: ")


@pytest.mark.slow
def test_a_long_table_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with open(path, "w", encoding="utf-8") as handle:
        handle.write("text,id\n")
        handle.writelines(f"{json.dumps('word ' * 20)},{number}\n" for number in range(20_000))
    import tracemalloc

    tracemalloc.start()
    try:
        assert sum(row.problem is None for row in read_asked(path, SINGLE)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


REMEDIES: dict[str, tuple[str, str, str, str, Task, dict[str, str]]] = {
    # What is asked, the remedy, and the file after it: name, content and what is kept.
    "an empty line": ("a.txt", "one\n\n", "give the row a text", "one\ntwo\n", SINGLE, {}),
    "an empty cell": ("a.csv", "id,text\n1,one\n2,\n", "give the row a text", "id,text\n1,one\n2,two\n", SINGLE, {}),
    "no JSON": ("a.jsonl", '{"text": "one"}\n{"text": two}\n', "one JSON object a line",
                '{"text": "one"}\n{"text": "two"}\n', SINGLE, {}),
    "deep JSON": ("a.jsonl", '{"text": "one"}\n{"text": ' + "[" * 100_000 + "\n", "simplify it",
                  '{"text": "one"}\n{"text": "two"}\n', SINGLE, {}),
    "a JSON list": ("a.jsonl", '{"text": "one"}\n["two"]\n', 'write one object a line: {"text": ...}',
                    '{"text": "one"}\n{"text": "two"}\n', SINGLE, {}),
    "one text of two": ("a.jsonl", '{"text": "a", "text_pair": "b"}\n{"text": "c"}\n', "give every row a text_pair",
                        '{"text": "a", "text_pair": "b"}\n{"text": "c", "text_pair": "d"}\n', PAIRS, {}),
    "two texts of one": ("a.jsonl", '{"text": "one"}\n{"text": "two", "text_pair": "b"}\n', "remove the column",
                         '{"text": "one"}\n{"text": "two"}\n', SINGLE, {}),
    "a NUL": ("a.txt", "one\nt\0wo\n", "tr -d", "one\ntwo\n", SINGLE, {}),
    "a key to keep that is nowhere": ("a.jsonl", '{"text": "one", "key": 1}\n', "correct --keep",
                                      '{"text": "one", "kez": 1}\n', SINGLE, {"kez": "kez"}),
    "a column to keep that is nowhere": ("a.csv", "text,key\none,1\n", "correct --keep", "text,kez\none,1\n", SINGLE,
                                         {"kez": "kez"}),
    "two columns of one name": ("a.csv", "text,id,id\none,1,2\n", "rename one", "text,id,key\none,1,2\n", SINGLE, {}),
    "an empty table": ("a.csv", "", "give a file with at least one", "text\none\n", SINGLE, {}),
    "a field too many": ("a.csv", "text,id\none,1\ntwo, three,2\n", "quote fields", 'text,id\none,1\n"two, three",2\n',
                         SINGLE, {}),
    "a quote that stays open": ("a.csv", 'text,id\none,1\n"two,2\n', "quote", 'text,id\none,1\n"""two",2\n', SINGLE,
                                {}),
    "no texts at all": ("a.txt", "", "give a file with at least one", "one\n", SINGLE, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", REMEDIES)
def test_the_remedy_leads_to_a_question_in_every_row(tmp_path: Path, name: str) -> None:
    file, before, remedy, after, task, keep = REMEDIES[name]
    try:
        problems = [row.problem for row in read(tmp_path / file, before, task, **keep) if row.problem is not None]
    except DataError as error:
        problems = [error]
    assert len(problems) == 1 and remedy in problems[0].remedy
    assert problems[0].path is not None and str(problems[0]).startswith(str(tmp_path / file))
    rows = read(tmp_path / file, after, task, **keep)
    assert len(rows) == len(after.splitlines()) - file.endswith(".csv")
    assert all(row.problem is None and row.question for row in rows)


def test_remedies_that_name_another_file(tmp_path: Path) -> None:
    for task, name, remedy in ((PAIRS, "a.txt", "use .jsonl, .csv or .tsv"), (SINGLE, "a.xlsx", "JSON Lines")):
        (tmp_path / name).write_text("a\tb\n")
        with pytest.raises(DataError, match=re.escape(remedy)):
            list(read_asked(tmp_path / name, task))
        record = {"text": "a"} | ({"text_pair": "b"} if input_of(task).paired else {})
        (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n")
        [row] = read_asked(tmp_path / "a.jsonl", task)
        assert row.problem is None
    with pytest.raises(DataError, match="name a file in it"):
        list(read_asked(tmp_path, SINGLE))
    with pytest.raises(LeanformerError, match=r"use \.jsonl or \.csv"):
        read(tmp_path / "a.txt", "one\n", SINGLE, key="key")
    [kept] = read(tmp_path / "b.jsonl", '{"text": "one", "key": 7}\n', SINGLE, key="key")
    assert kept.kept == {"key": 7}
