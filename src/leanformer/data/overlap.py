"""Which texts occur more than once: across splits (overlap), and within a split (duplicates)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from leanformer.data.row import Table
from leanformer.inputs.input import parts_of
from leanformer.task import Text

# `str.split` treats this as white space, so it cannot occur inside a normalised text.
SEPARATOR = "\x1f"


def normalise_text(text: Text) -> str:
    """The form in which texts are compared: NFKC, case-folded, with runs of white space collapsed.

    If an input holds several texts, such as a pair, all are normalised and joined.
    """
    if not isinstance(text, str):
        return SEPARATOR.join(normalise_text(part) for part in parts_of(text))
    # Case folding can undo normalisation (NFKC_Casefold in the Unicode standard), hence the second pass.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def normalise_all(texts: Sequence[Text]) -> list[str]:
    """`normalise_text` of every input."""
    return [normalise_text(text) for text in texts]


def count_contained(keys: Sequence[str], others: Sequence[str]) -> int:
    """How many of `keys` (normalised texts, repeats counted) also occur among `others`."""
    there = set(others)
    return sum(key in there for key in keys)


def group_rows(keys: Sequence[str]) -> dict[str, list[int]]:
    """Normalised text -> indices of the rows that hold it, in order of first occurrence."""
    groups: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    return groups


def find_repeats(table: Table, keys: Sequence[str], labels: Sequence[object]) -> list[str]:
    """Notes on the texts that `table` holds more than once, and on those among them whose labels conflict."""
    repeated = [rows for rows in group_rows(keys).values() if len(rows) > 1]
    conflicting = [rows for rows in repeated if len({labels[row] for row in rows}) > 1]
    notes = []
    if repeated:
        extra = sum(len(rows) - 1 for rows in repeated)
        notes.append(f"{extra} of {len(keys)} train rows repeat the text of an earlier one; none was removed")
    if conflicting:
        first = conflicting[0]
        other = next(row for row in first if labels[row] != labels[first[0]])
        place = " and ".join(f"{table.rows[row].line} ({table.rows[row].label})" for row in (first[0], other))
        notes.append(
            f"{len(conflicting)} train {'text has' if len(conflicting) == 1 else 'texts have'} conflicting labels, "
            f"the first on {'lines' if table.is_file else 'rows'} {place}"
        )
    return notes
