"""Bringing the labels of all splits into one form, so that the rows of all files are read alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from leanformer.data.label_forms import LABEL_FORMS, of_words
from leanformer.data.reading.cells import as_choices, parse_list
from leanformer.data.reading.conll import TAG_KEYS, WORD_KEYS
from leanformer.data.reading.entities import SPAN_KEYS, read_spans, refuse_spans_of_words, span_key
from leanformer.data.reading.input_forms import INPUT_FORMS, form_of_kind, with_our_names
from leanformer.data.reading.several import as_bit, combined_names, parse_bits, read_columns, read_vectors, split_names
from leanformer.data.reading.sheets import Sheet, has_words, rows_of
from leanformer.data.row import Table
from leanformer.task import BUILT

_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_WHOLE_NUMBER = re.compile(r"[+-]?\d+")


@dataclass
class Settled:
    """What was detected.

    Attributes:
        kind: the given kind, or "tokens" if the labels are spans.
        labels: label names implied by the form of the labels (vectors and columns); otherwise None.
        notes: sentences on what was done.
    """

    kind: str | None
    labels: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Opened:
    """A data set as read: its name, its tables by split, and the content of `Settled`, notes of the tables first."""

    name: str
    tables: dict[str, Table]
    notes: list[str]
    kind: str | None
    labels: tuple[str, ...] | None


def opened(name: str, tables: dict[str, Table], settled: Settled, *further: str) -> Opened:
    notes = [note for table in tables.values() for note in table.notes]
    return Opened(name, tables, [*notes, *settled.notes, *further], settled.kind, settled.labels)


def settle(sheets: Sequence[Sheet], kind: str | None, labels: Sequence[str] | None = None) -> Settled:
    """Bring the labels of all sheets of a data set into the form that `sheets.as_row` reads.

    That is a name or a number under `label`, a list of names under `labels`, or lists of `words` and `tags`. `labels`
    are the names of the task, if it is known. Unlabelled sheets are unchanged. The form is determined from all labelled
    sheets together. Raises `DataError` for a row of another form than the rest, and for meaningless forms.
    """
    settled = Settled(kind)
    labelled = [sheet for sheet in sheets if sheet.labelled]
    for sheet in labelled:
        _clear_empty_cells(sheet)
    if kind is None:
        settled.kind = _only_kind(sheets)
    if settled.kind is not None and form_of_kind(settled.kind).kind is not None:
        if form_of_kind(settled.kind).answers is not None:
            for sheet in labelled:
                _refuse_repeated_ids(sheet)
        return settled  # its labels are read together with the candidates
    _read_choices(labelled)
    _parse_words(sheets)
    settled.notes += _parse_cells(labelled)
    if kind is None or of_words(kind):
        if key := span_key(labelled, kind):
            settled.kind = "tokens"
            settled.notes += read_spans(labelled, key)
        for sheet in labelled:
            refuse_spans_of_words(sheet)
    if settled.kind is None and labelled and all(_is_of_words(sheet) for sheet in labelled):
        settled.kind = "tokens"
    if of_words(settled.kind):
        if any(_is_one_label(record.get("label")) for _, _, record in rows_of(labelled)):
            _hint(
                labelled, "leave --task tokens out, for 'label' is one label a text; or give words and a tag for each"
            )
        return settled
    # Without a kind all forms are tried.
    form = None if kind is None else LABEL_FORMS[BUILT[kind].answer]
    listed = form is not None and form.listed
    _move_lists(labelled)
    names, notes = read_vectors(labelled, labels)
    if names is None:
        names, notes, hint = None, [], ""
        if form is None or form.listed:
            names, notes, hint = read_columns(labelled, asked=listed, given=labels)
        _hint(labelled, hint)
    settled.labels, settled.notes = names, [*settled.notes, *notes]
    split, hint = split_names(labelled, asked=listed, given=labels)
    _hint(labelled, hint)
    settled.notes += split
    if form is not None and form.single:
        _unwrap(labelled)
    if form is None or form.decimal:
        settled.notes += _read_decimal_commas(labelled)
    if form is None or form.single:
        settled.notes += combined_names(labelled)
    return settled


def _refuse_repeated_ids(sheet: Sheet) -> None:
    """Answers are found by the id of their question, which must therefore be unique."""
    lines: dict[Any, int] = {}
    for line, record in sheet.records:
        name = record.get("id")
        if isinstance(name, str | int) and name != "" and lines.setdefault(name, line) != line:
            raise sheet.error(
                line,
                f"the id {name!r} is also that of line {lines[name]}",
                "give every question an id of its own, or none",
            )


def _only_kind(sheets: Sequence[Sheet]) -> str | None:
    """The only kind of task with inputs like those of all records; None if there is not exactly one."""
    records = rows_of(sheets)
    if not records or any(sheet.rows for sheet in sheets):
        return None
    forms = [form for form in INPUT_FORMS.values() if form.kind is not None]
    return next(
        (form.kind for form in forms if all(form.is_there(with_our_names(record)) for _, _, record in records)), None
    )


def _is_of_words(sheet: Sheet) -> bool:
    return all(row.words for row in sheet.rows) and all(has_words(record) for _, record in sheet.records)


def _is_one_label(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _hint(sheets: Sequence[Sheet], hint: str) -> None:
    for sheet in sheets:
        sheet.hint = sheet.hint or hint


def _clear_empty_cells(sheet: Sheet) -> None:
    if sheet.is_table:
        for _, record in sheet.records:
            # A table has no null: an empty cell means that there is no label.
            for key in {*WORD_KEYS, *TAG_KEYS, *SPAN_KEYS} - {"labels"}:
                if isinstance(record.get(key), str) and not record[key].strip():
                    record[key] = None


def _parse_words(sheets: Sequence[Sheet]) -> None:
    """Turn words, tags and spans written as strings into lists, if all of a key's values are."""
    for key in (*WORD_KEYS, *TAG_KEYS, *SPAN_KEYS):
        if key in ("label", "labels"):
            continue
        records = [record for _, _, record in rows_of(sheets) if _is_filled(record.get(key))]
        lists = [parse_list(record[key]) for record in records]
        if all(value is not None for value in lists):
            for record, value in zip(records, lists, strict=True):
                record[key] = value


def _read_choices(sheets: Sequence[Sheet]) -> None:
    """Lists in place of `{"choices": [...]}`, which Label Studio writes for several labels and single names for one."""
    for key in ("label", "labels"):
        records = [record for _, _, record in rows_of(sheets) if record.get(key) is not None]
        found = [as_choices(record[key]) for record in records]
        if any(choices is not None for choices in found):
            for record, choices in zip(records, found, strict=True):
                if choices is not None:
                    record[key] = choices
                elif _is_filled(record[key]):
                    record[key] = [record[key].strip()]


def _parse_cells(sheets: Sequence[Sheet]) -> list[str]:
    """Turn labels that are lists written as strings into lists, if most of those under a key are."""
    notes = []
    for key in ("label", "labels"):
        strings = [(sheet, line, record) for sheet, line, record in rows_of(sheets) if _is_filled(record.get(key))]
        if not strings:
            continue
        bracketed = all(record[key].strip()[0] == "[" and record[key].strip()[-1] == "]" for _, _, record in strings)
        bare = bracketed and any("," in record[key] for _, _, record in strings)
        cells = [record[key] for _, _, record in strings]
        lists: list[list[Any] | None] = [*(parse_bits(cells) or (parse_list(cell, bare=bare) for cell in cells))]
        if 2 * sum(value is not None for value in lists) <= len(lists):
            continue
        shown = next(row[key] for (_, _, row), value in zip(strings, lists, strict=True) if value is not None)
        for (sheet, line, record), value in zip(strings, lists, strict=True):
            if value is None:
                raise sheet.error(
                    line, f"{key!r} is {record[key]!r:.60}, but most rows have lists there, such as {shown!r:.60}",
                    f"write a list in every row, such as {[record[key]]!r:.60} here",
                )  # fmt: skip
            record[key] = value
        for _, _, record in rows_of(sheets):
            if isinstance(record.get(key), str):  # an empty cell among lists
                record[key] = []
        notes.append(f"the lists that are written out under {key!r}, such as {shown!r:.60}, are read as lists")
    return notes


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _move_lists(sheets: Sequence[Sheet]) -> None:
    """Move lists and 0/1 objects under `label` to `labels` if all rows have them; lists of one name become names."""
    for key in ("label", "labels"):
        given = [record for _, _, record in rows_of(sheets) if record.get(key) is not None]
        if all(_is_bits(record[key]) for record in given):
            for record in given:
                record[key] = [name for name, bit in record[key].items() if as_bit(bit)]
    rows = [record for _, _, record in rows_of(sheets) if record.get("label") is not None]
    if not rows or not all(isinstance(record["label"], list) for record in rows):
        return
    if all(len(record["label"]) == 1 for record in rows):
        for record in rows:
            record["label"] = record["label"][0]
        return
    if any(record.get("labels") is not None for record in rows):
        return
    for record in rows:
        record["labels"] = record.pop("label")


def _is_bits(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(as_bit(bit) is not None for bit in value.values())


def _unwrap(sheets: Sequence[Sheet]) -> None:
    """One label per row was requested: turn lists of one name into names."""
    rows = [record for _, _, record in rows_of(sheets) if isinstance(record.get("labels"), list)]
    if rows and all(len(record["labels"]) == 1 for record in rows):
        for record in rows:
            record["label"] = record.pop("labels")[0]


def _read_decimal_commas(sheets: Sequence[Sheet]) -> list[str]:
    """Turn numbers with a decimal comma into numbers, if most labels are numbers."""
    rows = [(sheet, line, record) for sheet, line, record in rows_of(sheets) if isinstance(record.get("label"), str)]
    values = [record["label"].strip() for _, _, record in rows]
    commas = [value for value in values if _COMMA_NUMBER.fullmatch(value)]
    numbers = [value for value in values if _COMMA_NUMBER.fullmatch(value) or _WHOLE_NUMBER.fullmatch(value)]
    if not commas or 2 * len(numbers) <= len(values):
        return []
    if all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", value) for value in commas):
        sheet, line, record = next(row for row in rows if row[2]["label"].strip() == commas[0])
        raise sheet.error(
            line, f"whether the comma in {commas[0]!r} is a decimal one or one between thousands is not certain",
            "write a point for a decimal comma, and nothing between thousands",
        )  # fmt: skip
    for _, _, record in rows:
        if _COMMA_NUMBER.fullmatch(record["label"].strip()):
            record["label"] = record["label"].strip().replace(",", ".")
    return [f"labels such as {commas[0]!r} are taken as numbers with a decimal comma"]
