"""From label names in rows to label indices: which labels there are, and whether every row has one of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from leanformer.data.rows import Table
from leanformer.errors import DataError

LABELLED_SPLITS = ("train", "dev", "test")
_SHOWN = 30  # label names in one message
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")


def require_labels(table: Table, split: str) -> None:
    """Raise `DataError` that names the first row without a label, if there is one."""
    bare = [row for row in table.rows if row.label is None]
    if not bare:
        return
    count = "no row has a label" if len(bare) == len(table.rows) else f"{len(bare)} of {len(table.rows)} rows without"
    if bare[0].near_label:
        remedy = f"rename {bare[0].near_label!r} to 'label'"
    elif not table.is_file:
        remedy = f"name a labelled split with --split {split}=NAME, or export it to JSON Lines without these rows"
    elif len(bare) < len(table.rows):
        remedy = f"label them, or move them to a file of their own named 'unlabelled', beside {split}"
    else:
        remedy = f"rename the file to 'unlabelled', or name a labelled one with --split {split}=FILE"
    raise table.error(f"a {split} row without a label ({count})", bare[0], remedy=remedy)


def label_names(tables: Mapping[str, Table], given: Sequence[str] | None) -> tuple[str, ...]:
    """The label names in order: those given, else the distinct labels of train, or else dev, or else test, sorted.

    Raises `DataError` when the given ones are blank or repeat each other.
    """
    if given is None:
        first = next((tables[split] for split in LABELLED_SPLITS if split in tables), None)
        return () if first is None else sort_names({row.label for row in first.rows if row.label is not None})
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


def sort_names(names: Iterable[str]) -> tuple[str, ...]:
    """Label names in order: by value where all are integers (2 before 10), as text otherwise."""
    names = tuple(names)
    return tuple(sorted(names, key=int) if are_integers(names) else sorted(names))


def are_integers(names: Iterable[str]) -> bool:
    """Whether every name is an integer as JSON writes it; "01" is a name, for it would not come back from a number."""
    return all(_INTEGER.fullmatch(name) for name in names)


def index_labels(table: Table, names: Sequence[str]) -> tuple[int, ...]:
    """The index of every row's label among `names`. Raises `DataError` at the first that is not among them."""
    index = {name: number for number, name in enumerate(names)}
    found: list[int] = []
    for row in table.rows:
        assert row.label is not None, "require_labels comes first"
        if row.label not in index:
            near = difflib.get_close_matches(row.label, names, n=1)
            raise table.error(
                f"the label {row.label!r} is not one of the {len(names)} known labels: {join_names(names)}",
                row,
                remedy=(f"write {near[0]!r}, " if near else "correct it, ")
                + "remove the row, or train with examples of this label",
            )
        found.append(index[row.label])
    return tuple(found)


def join_names(names: Sequence[str]) -> str:
    """Names separated by commas, cut short where there are very many."""
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
