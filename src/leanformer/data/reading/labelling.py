"""From label names in rows to label indices: which labels there are, and whether every row has one of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from leanformer.answers.labels_check import Label
from leanformer.data.reading.rows import Row, Table, as_score
from leanformer.errors import DataError
from leanformer.tagging.schemes import spelled, tag_names, types_of
from leanformer.task import Task, by_number

LABELLED_SPLITS = ("train", "dev", "test")
_SHOWN = 30  # label names in one message
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")


def require_labels(table: Table, split: str) -> None:
    """Raise `DataError` that names the first row without a label, if there is one."""
    bare = [row for row in table.rows if row.label is None]
    if not bare:
        return
    count = "no row has a label" if len(bare) == len(table.rows) else f"{len(bare)} of {len(table.rows)} rows without"
    another = f"name a labelled file with --split {split}=FILE"
    # To call rows unlabelled that have their labels elsewhere would throw these away.
    if len(bare) < len(table.rows) and not table.hint and table.others:
        columns = join_names(table.others)
        remedy = (
            f"label them, or, where nothing beside the text ({columns}) says the label, move them to a file of their "
        )
        remedy += f"own named 'unlabelled', beside {split}"
    elif found := where_labels_may_be(table, bare[0]):
        remedy = f"{found}; or {another}" if table.is_file and len(bare) == len(table.rows) else found
    elif not table.is_file:
        remedy = f"name a labelled split with --split {split}=NAME, or export it to JSON Lines and label these rows"
    elif len(bare) < len(table.rows):
        remedy = f"label them, or move them to a file of their own named 'unlabelled', beside {split}"
    else:
        remedy = f"rename the file to 'unlabelled', or {another}"
    raise table.error(f"a {split} row without a label ({count})", bare[0], remedy=remedy)


def where_labels_may_be(table: Table, row: Row | None = None) -> str:
    """What to do so that labels are found that stand elsewhere than under `label`; "" where nothing else is there."""
    near = (row or table.rows[0]).near_label
    if table.hint:
        return table.hint
    if near:
        return f"rename {near!r} to 'label'"
    if not table.others:
        return ""
    return f"if one of these holds the label, rename it to 'label': {join_names(table.others)}"


def label_names(tables: Mapping[str, Table], given: Sequence[str] | None) -> tuple[str, ...]:
    """The label names in order: those given, else the distinct labels of train, or else dev, or else test, sorted.

    Rows with a list of labels count with each of them. Not for scores, which have no names.

    Raises `DataError` when the given ones are blank or repeat each other.
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
    """The tags in order: those given, else O and both tags of each type in the split that `label_names` looks at."""
    return label_names(tables, given) if given is not None else tag_names(types_of(label_names(tables, None)))


def sort_names(names: Iterable[str]) -> tuple[str, ...]:
    """Label names in order: by value where all are integers (2 before 10), as text otherwise."""
    names = tuple(names)
    return tuple(sorted(names, key=int) if are_integers(names) else sorted(names))


def are_integers(names: Iterable[str]) -> bool:
    """Whether every name is an integer as JSON writes it; "01" is a name, for it would not come back from a number."""
    return all(_INTEGER.fullmatch(name) for name in names)


def index_labels(table: Table, task: Task) -> tuple[Label, ...]:
    """Every row's label as `Examples` keeps it. Raises `DataError` at the first that is not among the task's names.

    Where all of a table are integers and the names are not, they are the numbers of the labels (`task.by_number`).
    """
    index = {name: number for number, name in enumerate(task.labels)}
    found = {name for row in table.rows for name in _names_of(row)} if task.labels else set()
    if found and not found & set(index) and (numbers := by_number(sorted(found), task.labels)) is not None:
        index |= dict(zip(sorted(found), numbers, strict=True))
    return tuple(_READERS[task.answer](table, row, index) for row in table.rows)


def _names_of(row: Row) -> tuple[str, ...]:
    if row.label is None:
        return ()
    return row.label if isinstance(row.label, tuple) else (str(row.label),)


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
        with suppress(ValueError):  # a type that is not known is said below, with the line
            names = spelled(names, tuple(index))
    return tuple(_index(table, row, name, index) for name in names)


_READERS = {"label": _one_label, "labels": _all_labels, "score": _score, "tags": _all_tags}


def join_names(names: Sequence[str]) -> str:
    """Names separated by commas, cut short where there are very many."""
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
