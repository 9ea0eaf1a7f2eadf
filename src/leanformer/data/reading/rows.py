"""Records to rows, validated one by one."""

from __future__ import annotations

import math
from typing import Any

from leanformer.data.label_forms import LABEL_FORMS
from leanformer.data.reading.fields import check_text, suggest_name
from leanformer.data.reading.input_forms import INPUT_FORMS, form_of_kind, with_our_names, without_candidates
from leanformer.data.row import Row, describe
from leanformer.errors import DataError
from leanformer.task import BUILT


def build_row(
    record: dict[str, Any], kind: str | None, *, path: object, line: int | None, number: int | None = None
) -> Row:
    """Check a record and make a `Row` of its `text`, `text_pair`, and `label` or `labels`; other keys are ignored.

    A second text is required if `kind` is one of pairs and refused if it is not, because dropping it would answer
    another question than the data ask; null and an empty one count as none. Without a kind it is optional. A label may
    be a string or an integer; null and a missing key mean that the row has none. A list under `labels` holds any number
    of them. A decimal number is a score. `number` is the row's number if there is no line. Raises `DataError`.
    """
    of_kind = None if kind is None else form_of_kind(kind)
    # If the task has no candidates, such columns are ordinary ones.
    record = with_our_names(record if of_kind is None or of_kind.kind else without_candidates(record))
    names = tuple(str(name) for name in record)
    text = check_text(record, "text", names, path, line)
    forms = [form for form in INPUT_FORMS.values() if form.kind is None or kind in (None, form.kind)]
    given = next((form for form in forms if form.is_there(record)), of_kind)
    # Reported before other errors of the row.
    if of_kind is not None and given is not of_kind and (found := of_kind.problem("", str(kind))):
        raise DataError(found[0], path=path, line=line, remedy=found[1])
    pair = None if given is None else given.second(record, names, path, line)
    of_answers = None if given is None else given.answers
    label = _read_label(record, path, line) if of_answers is None else of_answers(record, path, line)
    near = suggest_name(names, "label") if label is None and "label" not in record and of_answers is None else None
    row = Row(line=line or number or 0, text=text, pair=pair, label=label, near_label=near or "")
    if kind is not None and (found := mismatch(row, kind)):
        raise DataError(found[0], path=path, line=line, remedy=found[1])
    return row


def mismatch(row: Row, kind: str) -> tuple[str, str] | None:
    """Why a row is not one of `kind`, and the remedy; None for a row that is (its label may be missing)."""
    if found := form_of_kind(kind).problem(row.pair, kind):
        return found
    if row.label is None:
        return None
    return LABEL_FORMS[BUILT[kind].answer].problem(row.label, kind)


def _read_label(record: dict[str, Any], path: object, line: int | None) -> str | float | tuple[str, ...] | None:
    several = record.get("labels")
    # A single name under `labels` is treated as a misnamed `label`, which `near_label` will report.
    if not isinstance(several, list | tuple):
        return _check_label(record.get("label"), path, line)
    if record.get("label") is not None:
        raise DataError("both 'label' and 'labels'", path=path, line=line, remedy="rename the one that is not meant")
    names = [_check_label(label, path, line) for label in several]
    for name in names:
        if not isinstance(name, str):
            raise DataError(
                f"'labels' holds {describe(name)}" + (", as probabilities are" if isinstance(name, float) else ""),
                path=path,
                line=line,
                remedy='write the names of the labels that apply: "labels": ["a", "b"]',
            )
        if names.count(name) > 1:
            raise DataError(f"the label {name!r} is given twice", path=path, line=line, remedy="name every label once")
    return tuple(sorted(str(name) for name in names))


def _check_label(value: Any, path: object, line: int | None) -> str | float | None:
    if value is None:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DataError(f"the label is {value}, which is no number", path=path, line=line, remedy="correct it")
        return value
    # bool is a subclass of int, so it must be checked first.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(
            f"the label is {describe(value)}, but a label is a name (a string) or an integer",
            path=path,
            line=line,
            remedy='write it as a string, such as "label": "yes"'
            + ("; several labels go into a list under 'labels'" if isinstance(value, list) else ""),
        )
    label = str(value).strip()
    if not label:
        raise DataError(
            "the label is an empty string", path=path, line=line, remedy="name the label; null says that there is none"
        )
    return label
