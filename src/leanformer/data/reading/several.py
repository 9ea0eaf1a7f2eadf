"""Any number of labels per row, in common forms: 0/1 vectors, 0/1 columns, names with a separator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from leanformer.data.reading.fields import suggest_name
from leanformer.data.reading.sheets import TEXT_NAMES, Sheet, is_identifier, rows_of
from leanformer.data.row import LABEL_SEPARATOR

_BITS = {
    **{"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1},
    # Truth values as spreadsheets write them in German, French, Italian, Spanish, Portuguese and Dutch.
    **{"falsch": 0, "wahr": 1, "faux": 0, "vrai": 1, "falso": 0, "vero": 1, "verdadero": 1, "verdadeiro": 1},
    **{"onwaar": 0, "waar": 1},
}
_VECTOR = re.compile(r"[01](?:(?:\s*[,;|]\s*|\s+)[01])+")


def as_bit(value: Any) -> int | None:
    """0 or 1 for a value that means one of them, however written; otherwise None."""
    if isinstance(value, bool | int | float):
        return int(value) if value in (0, 1) else None
    return _BITS.get(value.strip().lower()) if isinstance(value, str) else None


def read_vectors(sheets: Sequence[Sheet], given: Sequence[str] | None) -> tuple[tuple[str, ...] | None, list[str]]:
    """Turn lists of 0 and 1 under `labels` into the names at the positions of the ones.

    The names are the given ones if their number matches, otherwise the positions, from 0. Returns the names (None if no
    list is a vector) and notes. Raises `DataError` at a row that is not a vector if others are.
    """
    lists = [(sheet, line, record) for sheet, line, record in rows_of(sheets) if isinstance(record.get("labels"), list)]
    vectors = [record["labels"] for _, _, record in lists if _is_vector(record["labels"])]
    if not vectors:
        return None, []
    size = Counter(map(len, vectors)).most_common(1)[0][0]
    alike = sum(len(vector) == size for vector in vectors)
    # A name cannot be given twice, and not every row has both of two labels.
    certain = any(len({as_bit(value) for value in vector}) < len(vector) or vector[0] == 1 for vector in vectors)
    if 2 * alike <= len(lists) or not (certain or (size == 2 and alike == len(lists))):
        return None, []
    if given is not None and len(given) != size and not any(len(set(vector)) < len(vector) for vector in vectors):
        return None, []
    names = tuple(given) if given is not None and len(given) == size else tuple(map(str, range(size)))
    for sheet, line, record in lists:
        value = record["labels"]
        if not _is_vector(value) or len(value) != size:
            raise sheet.error(
                line, f"'labels' is {value!r:.60}, but the labels of other rows are {size} numbers, each 0 or 1",
                f"write {size} of them, or in every row a list of names",
            )  # fmt: skip
        record["labels"] = [name for name, bit in zip(names, value, strict=True) if as_bit(bit)]
    shown = ", ".join(names[:3]) + (", ..." if size > 3 else "")
    note = f"the labels are vectors of {size} zeros and ones, one for each label; the labels are named {shown}"
    return names, [note if given is not None else f"{note} by their places (write lists of names to name them)"]


def _is_vector(value: Any) -> bool:
    # A string is always a name.
    return isinstance(value, list) and len(value) > 1 and all(
        not isinstance(bit, str) and as_bit(bit) is not None for bit in value
    )  # fmt: skip


def read_columns(
    sheets: Sequence[Sheet], asked: bool, given: Sequence[str] | None
) -> tuple[tuple[str, ...] | None, list[str], str]:
    """Turn columns of 0 and 1, one per label, into lists of their names under `labels`.

    Done if there is no label, and there are no other columns besides texts and identifiers; or if they are `asked` for.
    If there are more columns than `given` labels, only the given ones are used. Returns the names or None, notes, and a
    remedy if they may be labels but this is not certain.
    """
    records = [record for _, _, record in rows_of(sheets)]
    if not records or any(record.get(key) is not None for record in records for key in ("label", "labels")):
        return None, [], ""
    shared = [key for key in records[0] if all(key in record for record in records)]
    columns = [key for key in shared if key not in TEXT_NAMES and not is_identifier(key)]
    bits = tuple(key for key in columns if all(as_bit(record[key]) is not None for record in records))
    others = [key for key in columns if key not in bits]
    if given and set(given) <= set(bits):
        bits, others = tuple(given), []
    shown = ", ".join(map(repr, bits))
    if hint := "" if given and bits == tuple(given) else _broken_columns(sheets, few=len(bits) < 2):
        return None, [], hint
    if len(bits) < 2:
        return None, [], f"rename {bits[0]!r}, a column of 0 and 1, to 'label'" if bits and not others else ""
    if others and not asked:
        hint = f"say --kind multilabel if each of the columns of 0 and 1 is a label ({shown})"
        return None, [], f"{_renaming(others)}{hint}"
    for record in records:
        record["labels"] = [key for key in bits if as_bit(record[key])]
    return bits, [f"each column of 0 and 1 is taken as a label: {shown}"], ""


def _broken_columns(sheets: Sequence[Sheet], few: bool) -> str:
    """The remedy if several columns may each be a label, but not every row has 0 or 1 there; "" if there are none.

    With `few` also if they have two other values.
    """
    names = dict.fromkeys(key for _, _, record in rows_of(sheets) for key in record)
    names = {key: None for key in names if key not in TEXT_NAMES and not is_identifier(key)}
    values = {key: [record.get(key) for _, _, record in rows_of(sheets)] for key in names}
    of_bits = [
        key for key in names
        if any(sheet.records and all(as_bit(record.get(key)) is not None for _, record in sheet.records)
               for sheet in sheets)
    ]  # fmt: skip
    if len(of_bits) > 1:
        for sheet, line, record in rows_of(sheets):
            for key in of_bits:
                if as_bit(record.get(key)) is None:
                    what = f"has {record[key]!r:.40} there" if key in record else "has no such column"
                    shown = ", ".join(map(repr, of_bits))
                    return (
                        f"if each of {shown} is a label, write 0 or 1 under all of them in every row, and leave rows "
                        f"out where that is not known; {sheet.where}, line {line}, {what} ({key!r})"
                    )
    if not few:
        return ""
    marks = {key: frozenset(str(value).strip().lower() for value in found) for key, found in values.items()}
    alike = [key for key in names if len(marks[key]) == 2 and list(marks.values()).count(marks[key]) > 1]
    alike = [key for key in alike if marks[key] == marks[alike[0]]]
    if alike and any(as_bit(mark) is None for mark in marks[alike[0]]):
        mark, other = sorted(marks[alike[0]])
        shown = ", ".join(map(repr, alike))
        hint = f"if each of {shown} is a label, write 1 there for yes and 0 for no, in place of {mark!r} and {other!r}"
        return f"{_renaming([key for key in names if key not in alike])}{hint}"
    return ""


def _renaming(others: Sequence[str]) -> str:
    """Advice to rename the one of further columns that has a common name of labels; "" if there is none."""
    near = suggest_name(tuple(others), "label")
    return f"rename {near!r} to 'label' if it holds the one label of a text; or " if near else ""


def parse_bits(cells: Sequence[str]) -> list[list[int]] | None:
    """Vectors of 0 and 1 in cells without brackets ("0 1 1", "0,1,1"); None if they may be names."""
    if not cells or not all(_VECTOR.fullmatch(cell.strip()) for cell in cells):
        return None
    vectors = [[int(bit) for bit in re.findall("[01]", cell)] for cell in cells]
    # No row has the same label twice.
    certain = any(len(set(vector)) < len(vector) for vector in vectors)
    return vectors if certain and len(set(map(len, vectors))) == 1 else None


def split_names(sheets: Sequence[Sheet], asked: bool, given: Sequence[str] | None) -> tuple[list[str], str]:
    """Split the cells of `labels` at the separator of names, unless it is a misnamed `label`: none has several.

    The separator is "|"; or a semicolon or comma if the resulting names are fewer than the distinct cells, if each also
    occurs alone, or if all are `given`. Returns a note, and a remedy if it is not certain. Raises `DataError` for an
    uncertain separator if several labels are `asked` for.
    """
    cells = [(sheet, line, record) for sheet, line, record in rows_of(sheets) if isinstance(record.get("labels"), str)]
    values = [record["labels"].strip() for _, _, record in cells]
    mark = next((separator for separator in (LABEL_SEPARATOR, ";", ",") if separates(values, separator, given)), "")
    unclear = (
        next((separator for separator in ";," if any(separator in value for value in values)), "") if not mark else ""
    )
    if given and set(values) <= {*given, ""}:
        unclear = ""
    if unclear and asked:
        sheet, line, record = next(cell for cell in cells if unclear in cell[2]["labels"])
        raise sheet.error(
            line, f"whether {record['labels']!r} is one label or several is not certain",
            f"write {LABEL_SEPARATOR!r} between labels; or lists in JSON Lines, whose names may hold anything",
        )  # fmt: skip
    if unclear:
        return [], (
            f"write {LABEL_SEPARATOR!r} instead of {unclear!r} where it stands between several labels; where a cell "
            "is one label, rename 'labels' to 'label'"
        )
    if not mark and not asked:
        return [], ""
    for _, _, record in cells:
        # A table has no empty list: an empty cell means that no label applies.
        cell = record["labels"].strip()
        parts = cell.split(mark) if mark else [cell]
        record["labels"] = [name.strip() for name in parts] if cell else []
    return [] if mark in ("", LABEL_SEPARATOR) else [f"the labels of a row are taken apart at {mark!r}"], ""


def separates(values: Sequence[str], mark: str, given: Sequence[str] | None = None) -> bool:
    """Whether a mark separates names of labels, rather than being part of a name."""
    several = {value for value in values if mark in value}
    if not several or mark == LABEL_SEPARATOR:
        return bool(several)
    alone = {value for value in values if value} - several
    parts = {part.strip() for value in several for part in value.split(mark)}
    if given and parts <= set(given):
        return True
    return "" not in parts and (parts <= alone or len(parts | alone) < len(several | alone))


def combined_names(sheets: Sequence[Sheet]) -> list[str]:
    """A note if names under `label` look like several labels each: their parts are labels, too."""
    names = {record["label"].strip() for _, _, record in rows_of(sheets) if isinstance(record.get("label"), str)}
    for mark in (LABEL_SEPARATOR, ";", ","):
        several = sorted(name for name in names if mark in name)
        parts = {part.strip() for name in several for part in name.split(mark)}
        if several and parts <= names - set(several):
            return [
                f"labels such as {several[0]!r} look like several labels, for each part is a label, too; they are "
                "taken as one each (for any number of labels name the column 'labels')"
            ]
    return []
