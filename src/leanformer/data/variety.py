"""Whether there are at least two different labels: with a single one there is nothing to learn."""

from __future__ import annotations

from leanformer.answers.forms import form_of
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError


def require_variety(data: Dataset) -> None:
    """Raise `DataError` if all labels of train are the same, before anything is trained on them.

    Not if there are unlabelled texts to learn from and dev has different labels, because a teacher's answers are
    labels, too.
    """
    if data.train is None or not (same := _same_label(data.train)):
        return
    if data.unlabelled is not None and data.dev is not None and not _same_label(data.dev):
        return
    raise DataError(
        f"each of the {len(data.train)} train texts has {same}: there is nothing to tell apart",
        path=data.train.source or data.name,
        remedy="add texts that have another one, or look whether the right column is read as the label",
    )


def _same_label(examples: Examples) -> str:
    """The label that all examples have, in words; "" if they differ."""
    assert examples.labels is not None, "a data set checks that its splits are labelled"
    return form_of(examples.task).the_only(examples.labels, examples.task.labels)
