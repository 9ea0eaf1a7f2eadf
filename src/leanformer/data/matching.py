"""Matches the names of a checkpoint's labels with those of the data, where the names allow it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leanformer.data.label_forms import are_integers, sort_names
from leanformer.errors import CheckpointError
from leanformer.tagging.schemes import is_tag, types_of
from leanformer.task import by_number


def match_by_name(own: Sequence[str], labels: Sequence[str]) -> tuple[str, ...] | None:
    """Names for all logits of a checkpoint that calls them `own`, for data with `labels`; None if they do not match.

    Matched are equal names (a small data set need not contain every label), names that differ in case, and numbers: of
    placeholders (LABEL_0, ...) or, if the model has names, of these. Tags are matched by their types.
    """
    own = tuple(own)
    if set(labels) <= set(own):
        return own
    numbers = tuple(str(index) for index in range(len(own)))
    if are_placeholders(own):
        return numbers if set(labels) <= set(numbers) else None
    if all(map(is_tag, (*own, *labels))):
        return own if set(types_of(labels)) <= set(types_of(own)) else _in_other_case(own, labels)
    if by_number(labels, own) is not None:
        return own
    return _in_other_case(own, labels)


def _in_other_case(own: tuple[str, ...], labels: Sequence[str]) -> tuple[str, ...] | None:
    """The data's spelling for names that differ only in case; the model's for those that the data do not have."""
    lowered = {name.casefold(): name for name in labels}
    folded = [name.casefold() for name in own]
    if len(lowered) < len(labels) or len(set(folded)) < len(own) or not set(lowered) <= set(folded):
        return None
    return tuple(lowered.get(key, name) for key, name in zip(folded, own, strict=True))


def match_in_order(own: Sequence[str], labels: Sequence[str] | None, source: Path) -> tuple[str, ...]:
    """As `match_by_name`, but placeholders also match names given in the order of the logits.

    Integers are ordered by value. Raises `CheckpointError` if that does not match either.
    """
    if not labels:
        return tuple(own)
    found = match_by_name(own, labels)
    if found is None and are_placeholders(own) and len(own) == len(labels):
        found = sort_names(labels) if are_integers(labels) else tuple(labels)
    if found is None:
        raise CheckpointError(
            f"{source}: the model's labels {list(own)} are not the data's labels {list(labels)}\n"
            "  remedy: set id2label in the model's config.json to the names that the data uses"
        )
    return found


def are_placeholders(names: Sequence[str]) -> bool:
    """Whether the names contain only their number, as those that `transformers` gives to unnamed labels."""
    return all(name.upper() == f"LABEL_{index}" for index, name in enumerate(names))
