"""Labels of rows, for each form of answer: which are valid, what they are called, and how they become indices."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from leanformer.answers.form import FormTable
from leanformer.answers.forms import FORMS
from leanformer.answers.labels_check import Label
from leanformer.data.reading.contexts import read_spans, require_answers, spans_problem
from leanformer.data.row import LABEL_SEPARATOR, Row, RowLabel, Table, as_score, describe
from leanformer.errors import DataError
from leanformer.tagging.schemes import spelled, tag_names, types_of
from leanformer.task import BUILT, Task, by_number

LABELLED_SPLITS = ("train", "dev", "test")
_SHOWN = 30  # label names in one message
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")


def label_names(tables: Mapping[str, Table], given: Sequence[str] | None) -> tuple[str, ...]:
    """The label names in order: the given ones, or the distinct labels of train, or else dev, or else test, sorted.

    Rows with a list of labels count for each of them. Not for scores, which have no names.

    Raises `DataError` if a given name is blank or repeated.
    """
    if given is None:
        first = next((tables[split] for split in LABELLED_SPLITS if split in tables), None)
        return () if first is None else sort_names({name for row in first.rows for name in _names_of(row)})
    if isinstance(given, str):
        raise TypeError("labels is one string; give a sequence of label names")
    for name in given:
        if not isinstance(name, str) or not name or name != name.strip():
            raise DataError(
                f"{name!r} cannot be a label name",
                remedy="give label names that are strings, not blank, with no white space around them",
            )
        if list(given).count(name) > 1:
            raise DataError(f"the label {name!r} is given twice", remedy="name every label once")
    return tuple(given)


def tags_of(tables: Mapping[str, Table], given: Sequence[str] | None) -> tuple[str, ...]:
    """The tags in order: the given ones, or O and both tags of each type in the split that `label_names` uses."""
    return label_names(tables, given) if given is not None else tag_names(types_of(label_names(tables, None)))


def sort_names(names: Iterable[str]) -> tuple[str, ...]:
    """Label names in order: by value if all are integers (2 before 10), otherwise as text."""
    names = tuple(names)
    return tuple(sorted(names, key=int) if are_integers(names) else sorted(names))


def are_integers(names: Iterable[str]) -> bool:
    """Whether every name is an integer as JSON writes it; "01" is not, because a number would not give it back."""
    return all(_INTEGER.fullmatch(name) for name in names)


def join_names(names: Sequence[str]) -> str:
    """Names separated by commas, shortened if there are very many."""
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def index_labels(table: Table, task: Task) -> tuple[Label, ...]:
    """Every row's label as `Examples` keeps it. Raises `DataError` at the first that is not among the task's names.

    If all labels of a table are integers and the names are not, they are numbers of labels (`task.by_number`).
    """
    form = LABEL_FORMS[task.answer]
    index = {name: number for number, name in enumerate(task.labels)}
    found = {name for row in table.rows for name in _names_of(row)} if task.labels else set()
    if found and not found & set(index) and (numbers := by_number(sorted(found), task.labels)) is not None:
        index |= dict(zip(sorted(found), numbers, strict=True))
    return tuple(form.read(table, row, index) for row in table.rows)


def _names_of(row: Row) -> tuple[str, ...]:
    if row.label is None:
        return ()
    return row.label if isinstance(row.label, tuple) else (str(row.label),)  # type: ignore[return-value]  # no answers


def _index(table: Table, row: Row, name: str, index: Mapping[str, int]) -> int:
    if name not in index:
        near = difflib.get_close_matches(name, index, n=1)
        if name == "-1":
            raise table.error(
                "the label -1, as data sets mark rows whose label is not known", row, remedy=_without_unknown(table)
            )
        raise table.error(
            f"the label {name!r} is not one of the {len(index)} known labels: {join_names(tuple(index))}",
            row,
            remedy=(f"write {near[0]!r} if that is meant, " if near else "correct it, ")
            + "or train with examples of this label",
        )
    return index[name]


def _without_unknown(table: Table) -> str:
    if not table.is_file:
        return "name a split whose labels are known with --split, such as --split test=validation"
    if all(set(_names_of(row)) == {"-1"} for row in table.rows):
        return "rename the file to 'unlabelled', or move it elsewhere"
    return "move such rows to a file of their own named 'unlabelled'; or train with examples of this label"


def _one_label(table: Table, row: Row, index: Mapping[str, int]) -> Label:
    (name,) = _names_of(row)
    return _index(table, row, name, index)


def _all_labels(table: Table, row: Row, index: Mapping[str, int]) -> Label:
    return tuple(sorted(_index(table, row, name, index) for name in _names_of(row)))


def _score(table: Table, row: Row, index: Mapping[str, int]) -> Label:
    assert row.label is not None and not isinstance(row.label, tuple), "check_kind and require_labels come first"
    value = as_score(row.label)
    assert value is not None
    return value


def _all_tags(table: Table, row: Row, index: Mapping[str, int]) -> Label:
    names = _names_of(row)
    if not set(names) <= set(index):
        with suppress(ValueError):  # an unknown type is reported below, with the line
            names = spelled(names, tuple(index))
    return tuple(_index(table, row, name, index) for name in names)


def _label_problem(label: RowLabel, kind: str) -> tuple[str, str] | None:
    if isinstance(label, float):
        return (
            f"the label is {describe(label)}, but a label is a name (a string) or an integer",
            'write it as a string, such as "label": "yes"; for scores: --kind similarity (pairs) or regression',
        )
    if isinstance(label, tuple):
        return (
            f"a list of labels, but the task is to choose one (kind {kind!r})",
            "write one name under 'label' where there is but one; for several a row say --kind multilabel",
        )
    return None


def _labels_problem(label: RowLabel, kind: str) -> tuple[str, str] | None:
    if isinstance(label, tuple):
        return None
    return (
        f"one label ({label!r}), but any number of them was expected (kind {kind!r})",
        f"write a list under 'labels' (in a table: names, with {LABEL_SEPARATOR!r} between them)",
    )


def _score_problem(label: RowLabel, kind: str) -> tuple[str, str] | None:
    if not isinstance(label, tuple) and as_score(label) is not None:
        return None
    return (
        f"the label {label!r} is not a number, but the task is a score (kind {kind!r})",
        "write a number under 'label'",
    )


def _tags_problem(label: RowLabel, kind: str) -> tuple[str, str] | None:
    if isinstance(label, tuple):
        return None
    return (
        f"one label ({label!r}), but a tag for each word was expected (kind {kind!r})",
        "write words and tags as columns, or as lists under 'words' and 'tags' in JSON Lines",
    )


def _choice_problem(label: RowLabel, kind: str) -> tuple[str, str] | None:
    if isinstance(label, str):
        return None
    return (
        f"the label is {label!r}, but one candidate is to be chosen (kind {kind!r})",
        "write the number of the right candidate, from 0, or its text",
    )


def _choice(table: Table, row: Row, index: Mapping[str, int]) -> Label:
    """The number of the correct candidate, given its number or its text."""
    (label,), choices = _names_of(row), row.pair
    assert isinstance(choices, tuple), "check_kind comes first"
    as_text = choices.index(label) if label in choices else None
    as_number = int(label) if _INTEGER.fullmatch(label) and 0 <= int(label) < len(choices) else None
    if as_text is not None and as_number is not None and as_text != as_number:
        # Candidates that are numbers themselves: all rows together show whether labels are numbers or texts.
        if all(other.label in (other.pair or ()) for other in table.rows):
            raise table.error(
                f"the label {label!r} is both the number of a candidate and the text of another", row,
                remedy='write the candidates so that none is a number alone, such as "2 apples"',
            )  # fmt: skip
        return as_number
    found = as_number if as_text is None else as_text
    if found is None:
        raise table.error(
            f"the label {label!r} is neither a number from 0 to {len(choices) - 1} nor one of the candidates "
            f"({join_names(choices)})",
            row, remedy="write the number of the right candidate, counted from 0, or its text",
        )  # fmt: skip
    return found


def _no_names(tables: Mapping[str, Table], given: Sequence[str] | None) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class LabelForm:
    """Labels for one form of answer.

    Attributes:
        problem: why a row's label does not have the form, given the kind, and the remedy; None if it has.
        names: the task's label names, from the tables of the splits and the given names.
        read: a row's label as `Examples` keeps it, given the index of each name.
        note: a note for when the form was detected from the rows, with a placeholder for the kind; "" for none.
        single: whether a row has one name; listed: any number of them; decimal: a decimal number. From these,
            `reading.settling` knows in which ways such labels may be written.
        numbered: whether names in the data may be numbers of the task's labels.
    """

    problem: Callable[[RowLabel, str], tuple[str, str] | None]
    names: Callable[[Mapping[str, Table], Sequence[str] | None], tuple[str, ...]]
    read: Callable[[Table, Row, Mapping[str, int]], Label]
    note: str = ""
    single: bool = False
    listed: bool = False
    decimal: bool = False
    numbered: bool = False


LABEL_FORMS: FormTable[LabelForm] = FormTable(
    "leanformer/data/label_forms.py",
    {
        "label": LabelForm(_label_problem, label_names, _one_label, single=True, numbered=True),
        "labels": LabelForm(_labels_problem, label_names, _all_labels, listed=True, numbered=True),
        "score": LabelForm(
            _score_problem, _no_names, _score, decimal=True,
            note="the labels are decimal numbers, taken as scores (kind {!r}; --kind says otherwise)",
        ),
        "choice": LabelForm(_choice_problem, _no_names, _choice),
        "span": LabelForm(spans_problem, require_answers, read_spans),
        "tags": LabelForm(_tags_problem, tags_of, _all_tags),
    },
)  # fmt: skip
# Forms that cannot be in a file of examples are missing: vectors.
READABLE_KINDS = tuple(name for name, kind in BUILT.items() if kind.answer in LABEL_FORMS)


def of_words(kind: str | None) -> bool:
    """Whether the texts of a kind are sentences of words, each with a label; False if the kind is not known yet."""
    return kind is not None and FORMS[BUILT[kind].answer].per_word
