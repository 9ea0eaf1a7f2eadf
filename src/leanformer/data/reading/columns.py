"""Further columns of a data file, besides text and label: groups for which quality is reported separately."""

from __future__ import annotations

from pathlib import Path

from leanformer.answers.forms import form_of
from leanformer.data.examples import Examples
from leanformer.data.reading.readers import read_sheet
from leanformer.errors import DataError


def read_column(examples: Examples, name: str) -> tuple[str, ...]:
    """The value of column `name` for each example, as text; "" if a row has none.

    Reads the file that the examples came from (`Examples.source`) again and compares its texts with theirs, so that a
    value is never assigned to another row. Raises `DataError` if there is no such file or column, or if the rows are
    not those of the file (a dev split taken out of train).
    """
    path = Path(examples.source)
    if path.suffix.lower() not in (".jsonl", ".csv", ".tsv") or not path.is_file():
        raise DataError(
            f"no column {name!r} can be read: the examples do not come from one .jsonl, .csv or .tsv file",
            path=examples.source or None, remedy="give the examples as a file",
        )  # fmt: skip
    numbered = read_sheet(path, None).records
    records = [record for _, record in numbered]
    # Words and tags are not written as a text; their rows are recognised by their lines.
    same = form_of(examples.task).per_word and examples.lines == tuple(line for line, _ in numbered)
    if not same and tuple(str(record.get("text", "")) for record in records) != examples.texts:
        raise DataError(
            f"the column {name!r} cannot be matched: the file's rows are not the examples' rows", path=path,
            remedy="use a split that has a file of its own",
        )  # fmt: skip
    if not any(name in record for record in records):
        there = sorted({key for record in records[:100] for key in record} - {"text", "label", "text_pair"})
        raise DataError(
            f"no column {name!r}; besides text and label there is {', '.join(there) or 'none'}", path=path,
            remedy="name one of these, or length or class",
        )  # fmt: skip
    values = (record.get(name) for record in records)
    return tuple("" if value is None else str(value).strip() for value in values)
