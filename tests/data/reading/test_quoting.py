"""Whether quotes of a table are part of its texts, and rows that an open quote has swallowed."""

from __future__ import annotations

import csv
import io

import pytest

from leanformer.data.reading.quoting import long_fields, swallowed_rows, tsv_quotes_enclose, tsv_quotes_note


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("table", "enclose"),
    [
        ('"text"\t"label"\n"a"\t"x"\n', True),  # every name is quoted
        ('text\tlabel\n"a ""b"" c"\tx\nd\ty\n', True),  # as pandas writes a quote
        ('text\tlabel\n"a\tb"\tx\n', True),
        ('text\tlabel\n"a, b"\tx\n"c, d"\ty\ne\tx\n', True),  # as Excel writes commas
        ('text\tlabel\n"a"\tx\nb\ty\n', False),  # nothing would have quoted this: the quotes are said
        ('text\tlabel\n"a\tx\nb"\ty\n', False),  # two texts, one begins with a quote and one ends with it
        ("text\tlabel\na\tx\n", False),
        ('text\tlabel\n"a\tx\n', False),
        ("", False),
    ],
)
def test_quotes_enclose_where_a_program_would_have_written_them(table: str, enclose: bool):
    assert tsv_quotes_enclose(lines(table)) is enclose


def test_a_note_says_what_the_quotes_were_taken_for():
    table = lines('text\tlabel\n"a"\tx\n"b"\ty\nc\tz\n')
    assert "quotes around a field are no part of it" in tsv_quotes_note(table, "t.tsv", "t", enclose=True)
    assert "a quote is a letter, and 2 lines have a field in quotes" in tsv_quotes_note(
        table, "t.tsv", "t", enclose=False
    )
    assert tsv_quotes_note(lines('text\tlabel\n"a"\tx\nb\ty\n'), "t.tsv", "t", enclose=False) == ""


def test_lines_within_a_field_that_look_like_rows_are_counted():
    known = {"x", "y"}
    # A quote that was never closed until a later text: text first, then the label; the last line is the row's own.
    assert swallowed_rows(lines('"a,x\nb,y\nc,z\n"d",x\n'), ",", column=1, columns=2, known=known) == 3
    assert swallowed_rows(lines("a line\nof a text,\nwith commas,x\n"), ",", column=1, columns=2, known=known) == 0
    assert swallowed_rows(lines('x,"a\ny,b\nx,c"\n'), ",", column=0, columns=2, known=known) == 2
    assert swallowed_rows(lines("p,q\nr,s\n"), ",", column=1, columns=2, known=known) == 0, "no label of another row"


def test_fields_of_any_length_are_read_and_the_limit_is_put_back():
    limit, long = csv.field_size_limit(), "x" * 200_000
    with long_fields():
        assert list(csv.reader(io.StringIO(long))) == [[long]]
    assert csv.field_size_limit() == limit
    with pytest.raises(csv.Error):
        list(csv.reader(io.StringIO(long)))
