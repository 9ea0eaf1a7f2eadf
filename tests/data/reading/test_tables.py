"""Tables as programs write them: separators, padding, quotes that enclose, quotes that are letters or swallow rows."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from leanformer.data.dataset import open_dataset
from leanformer.data.reading.columns import read_column
from leanformer.data.reading.readers import iterate_rows, read_rows
from leanformer.errors import DataError


def rows_of(path: Path) -> list[tuple[str, object]]:
    return [(row.text, row.label) for row in read_rows(path)]


def refusal(path: Path, content: str) -> DataError:
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert caught.value.remedy
    return caught.value


ROWS: list[tuple[str, object]] = [("good, or so", "x"), ("bad; very", "y"), ("fine", "x"), ("poor", "y")]


def written(rows: list[tuple[str, object]], separator: str, end: str = "\r\n", **options: int) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=separator, lineterminator=end, **options)  # type: ignore[arg-type]
    writer.writerow(["text", "label"])
    writer.writerows(rows)
    return stream.getvalue()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_any_separator(tmp_path: Path, separator: str, said: bool, suffix: str) -> None:
    content = (f"sep={separator}\r\n" if said else "") + written(ROWS, separator)
    (tmp_path / f"train{suffix}").write_text(content, encoding="utf-8-sig", newline="")
    assert rows_of(tmp_path / f"train{suffix}") == ROWS
    assert [row.text for row in iterate_rows(tmp_path / f"train{suffix}")] == [text for text, _ in ROWS]
    assert read_rows(tmp_path / f"train{suffix}")[0].line == (3 if said else 2)
    notes = [note for note in open_dataset(str(tmp_path)).notes if "separated by" in note]
    assert bool(notes) == (separator != ("," if suffix == ".csv" else "\t"))


def test_a_separator_that_only_sep_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sep=^\ntext^label\ngood, or so^x\n")
    assert rows_of(tmp_path / "a.csv") == [("good, or so", "x")]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_wrong_name_is_told_with_the_right_columns(tmp_path: Path, separator: str) -> None:
    error = refusal(tmp_path / "a.csv", f"review{separator}label\ngood{separator}x\n")
    assert "the columns there are 'review', 'label'" in str(error)
    assert error.remedy == "rename 'review' to 'text'"
    (tmp_path / "a.csv").write_text(f"text{separator}label\ngood{separator}x\n")
    assert rows_of(tmp_path / "a.csv") == [("good", "x")]


@pytest.mark.parametrize("padding", [",\n,\n", ",,,\n", " , \n", '"",""\n', ",\n\n,\n"])
def test_rows_without_anything_are_passed_over_and_counted(tmp_path: Path, padding: str) -> None:
    (tmp_path / "train.csv").write_text("text,label\na,x\nb,y\n" + padding)
    assert rows_of(tmp_path / "train.csv") == [("a", "x"), ("b", "y")]
    (tmp_path / "dev.csv").write_text("text,label\n" + padding + "c,x\n")
    count = len([line for line in padding.splitlines() if line])
    notes = [note for note in open_dataset(str(tmp_path)).notes if "skipped" in note]
    assert notes == [
        f"{name}: {count} {'row' if count == 1 else 'rows'} with only empty cells skipped"
        for name in ("train.csv", "dev.csv")
    ]


def test_a_row_with_a_label_alone_is_no_padding(tmp_path: Path) -> None:
    assert "line 3: 'text' is empty" in str(refusal(tmp_path / "a.csv", "text,label\na,x\n,y\n"))


def test_more_separators_than_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label,,\na,x,,\nb,y,,,,\n")
    assert rows_of(tmp_path / "a.csv") == [("a", "x"), ("b", "y")]
    assert "4 fields" in str(refusal(tmp_path / "a.csv", "text,label\na,x,,z\n"))


SPLIT_DIALOGUE = [
    ("the sea was calm", "good"), ('"we had the soup and', "good"), ("a long day", "bad"), ("nothing left", "bad"),
    ('then the host came"', "bad"), ("a bright room", "good"),
    ("dark", "bad"),
]  # fmt: skip


@pytest.mark.parametrize(
    "texts",
    [
        SPLIT_DIALOGUE,
        [('"quoted at the beginning only', "x"), ("b", "y")],
        [('he said "no"', "x"), ('"no" he said', "y"), ('"no", he said, "no"', "x")],
        [('"', "x"), ('""', "y"), ('a "" b', "x"), ('5" and 7"', "y")],
        [('"all of it"', "x"), ("plain", "y"), ("another", "y")],
    ],
)
@pytest.mark.parametrize("first", ["text", "label"])
def test_in_tsv_a_quote_is_a_letter(tmp_path: Path, texts: list[tuple[str, str]], first: str) -> None:
    lines = [("text", "label"), *texts]
    ordered = [line if first == "text" else line[::-1] for line in lines]
    (tmp_path / "a.tsv").write_text("".join("\t".join(line) + "\n" for line in ordered))
    assert rows_of(tmp_path / "a.tsv") == texts
    assert [row.line for row in read_rows(tmp_path / "a.tsv")] == list(range(2, len(texts) + 2))


WITH_QUOTES: list[list[tuple[str, object]]] = [
    [('he said "hi"', "x"), ("plain", "y")],
    [("a\ttab", "x"), ("plain", "y")],
    [("two\nlines", "x"), ('"all"', "y"), ("plain", "x")],
    [('"', "x"), ("b", "y")],
]


@pytest.mark.parametrize("rows", WITH_QUOTES)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tsv_as_pandas_writes_it(tmp_path: Path, rows: list[tuple[str, object]], quoting: int, end: str) -> None:
    path = tmp_path / "train.tsv"
    path.write_text(written(rows, "\t", end, quoting=quoting), newline="")
    assert rows_of(path) == rows
    data = open_dataset(str(tmp_path))
    assert any("quotes around a field are no part of it" in note for note in data.notes)


def test_tsv_as_excel_writes_it(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('text\tlabel\n"good, or so"\tx\nplain\ty\n"bad, too"\ty\n')
    assert [text for text, _ in rows_of(tmp_path / "a.tsv")] == ["good, or so", "plain", "bad, too"]


def test_fields_in_quotes_in_a_tsv_are_noted_and_the_remedy_works(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text('text\tlabel\n"good"\tx\n"bad"\ty\n')
    assert rows_of(path) == [('"good"', "x"), ('"bad"', "y")]
    [note] = [note for note in open_dataset(str(tmp_path)).notes if "a quote is a letter" in note]
    assert "rename it to train.csv" in note
    path.rename(tmp_path / "train.csv")
    assert rows_of(tmp_path / "train.csv") == [("good", "x"), ("bad", "y")]


def test_a_column_is_matched_with_the_same_reading(tmp_path: Path) -> None:
    lines = ["text\tlabel\tregion", *(f"{text}\t{label}\tr{i}" for i, (text, label) in enumerate(SPLIT_DIALOGUE))]
    (tmp_path / "test.tsv").write_text("\n".join(lines) + "\n")
    part = open_dataset(str(tmp_path / "test.tsv"), single="test").test
    assert part is not None
    assert read_column(part, "region") == tuple(f"r{i}" for i in range(len(SPLIT_DIALOGUE)))


@pytest.mark.parametrize("first", ["text", "label"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_quote_in_csv_that_swallows_rows_is_an_error(tmp_path: Path, first: str, separator: str) -> None:
    lines = [("text", "label"), *SPLIT_DIALOGUE]
    ordered = [line if first == "text" else line[::-1] for line in lines]
    content = "".join(separator.join(line) + "\n" for line in ordered)
    # The closing quote stands before a separator or a line end, so that the table is well-formed.
    error = refusal(tmp_path / "a.csv", content)
    assert error.line == 3 and "swallows what looks like" in str(error)
    # What is advised: the field enclosed, its own quotes twice.
    (tmp_path / "a.csv").write_text(written(list(SPLIT_DIALOGUE), separator))
    assert rows_of(tmp_path / "a.csv") == SPLIT_DIALOGUE


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('text,label\na,x\n"b,y\nc,x\n', 3),
        ('text,label\n"a,x\n', 2),
        ('label,text\nx,"a\ny,b\nx,c\n', 2),
    ],
)
def test_a_quote_in_csv_that_is_never_closed(tmp_path: Path, content: str, line: int) -> None:
    error = refusal(tmp_path / "a.csv", content)
    assert error.line == line and "never closed" in str(error)
    (tmp_path / "a.csv").write_text(written([('"a', "x"), ("b", "y")], ","))
    assert rows_of(tmp_path / "a.csv") == [('"a', "x"), ("b", "y")]


def test_text_behind_a_closing_quote(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a.csv", 'text,label\n"a" b,x\n')
    assert "line 2: not a valid table" in str(error) and 'twice ("")' in error.remedy
    assert "carriage return" in str(refusal(tmp_path / "a.csv", "text,label\na\rb,x\n"))
    (tmp_path / "a.csv").write_text('text,label\n"a\rb",x\n', newline="")
    assert rows_of(tmp_path / "a.csv") == [("a\rb", "x")]


def test_long_texts_of_several_lines_swallow_nothing(tmp_path: Path) -> None:
    rows: list[tuple[str, object]] = [
        ("Dear all,\nx, y and z\nyours", "x"),
        ("He wrote\nso, x\nand no more", "y"), ("one, two\n\nthree, x", "y"), ("short", "x"), ("more", "y"),
    ]  # fmt: skip
    (tmp_path / "a.csv").write_text(written(rows, ",", "\n"))
    assert rows_of(tmp_path / "a.csv") == rows
