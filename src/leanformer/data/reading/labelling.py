"""Rows without a label: an error in a split that needs labels, with a hint where labels may be."""

from __future__ import annotations

from leanformer.data.label_forms import join_names
from leanformer.data.row import Row, Table


def require_labels(table: Table, split: str) -> None:
    """Raise `DataError`, naming the first row without a label, if there is one."""
    bare = [row for row in table.rows if row.label is None]
    if not bare:
        return
    count = "no row has a label" if len(bare) == len(table.rows) else f"{len(bare)} of {len(table.rows)} rows without"
    another = f"name a labelled file with --split {split}=FILE"
    # Calling rows unlabelled that have their labels elsewhere would discard these labels.
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
    """How to get labels read that are in other columns than `label`; "" if there are none."""
    near = (row or table.rows[0]).near_label
    if table.hint:
        return table.hint
    if near:
        return f"rename {near!r} to 'label'"
    if not table.others:
        return ""
    return f"if one of these holds the label, rename it to 'label': {join_names(table.others)}"
