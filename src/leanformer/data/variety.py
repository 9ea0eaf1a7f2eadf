"""Whether labels tell anything apart: with one label alone there is nothing to learn."""

from __future__ import annotations

from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError


def require_variety(data: Dataset) -> None:
    """Raise `DataError` where all labels of train are the same, before anything is trained on them.

    Not where unlabelled texts are there to be learnt from as well and dev has labels that differ, for a teacher's
    answers are labels, too.
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
    """What all examples have, in words; "" where they differ."""
    assert examples.labels is not None, "a data set checks that its splits are labelled"
    names = examples.task.labels
    first = examples.labels[0]
    if examples.task.answer == "tags":
        tags = {tag for sentence in examples.labels if isinstance(sentence, tuple) for tag in sentence}
        return f"the tag {names[min(tags)]!r} alone" if len(tags) == 1 else ""
    if len(set(examples.labels)) > 1:
        return ""
    if isinstance(first, float):
        return f"the score {first:g}"
    if isinstance(first, tuple):
        return f"the labels {', '.join(names[i] for i in first)}" if first else "no label"
    return f"the label {names[first]!r}"
