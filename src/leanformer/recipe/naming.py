"""Which logit of a foreign model has which label, found from labelled dev rows where the names do not show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from leanformer.data.label_forms import join_names
from leanformer.errors import CheckpointError
from leanformer.metrics.assignment import Assignment, assign, best_assignment
from leanformer.tagging.schemes import IOB1, OUTSIDE, spelled, types_of

# Tags in no known order are matched one by one if that agrees better by at least this share of the words.
_OUT_OF_ORDER = 0.02


@dataclass(frozen=True)
class Naming:
    """Names for all logits, in their order; how they were found, in words; and the tagging scheme."""

    names: tuple[str, ...]
    how: str
    scheme: str | None = None


def name_by_rows(
    source: object, own: Sequence[str], labels: Sequence[str], true: np.ndarray, given: np.ndarray, unit: str = "rows"
) -> Naming:
    """The assignment of labels to logits that agrees best with labelled rows.

    Args:
        source: the model, for messages. own: its names for the logits; logits without a label keep theirs.
        labels: labels of the data. true: labels of each row, booleans `[n, labels]`.
        given: logits that the model chooses for each row, booleans `[n, logits]`.

    Raises `CheckpointError` if there are too few logits, or the best assignment is no better than chance or not clearly
    better than another.
    """
    if len(own) < len(labels):
        raise CheckpointError(
            f"{source}: {len(own)} logits for the {len(labels)} labels of the data: {join_names(labels)}\n"
            "  remedy: give the model that was trained on these labels"
        )
    found = assign(true, given)
    names = list(own)
    for label, column in zip(labels, found.columns, strict=True):
        names[column] = label
    check_clear(source, found, own, labels, len(true), unit)
    return Naming(tuple(names), _described(found, len(true), unit))


def check_clear(
    source: object, found: Assignment, own: Sequence[str], labels: Sequence[str], rows: int, unit: str
) -> None:
    """Raise `CheckpointError` if an assignment is no better than chance or not clearly the best."""
    remedy = (
        f'\n  remedy: write the labels in the order of the logits into config.json: {_template(labels)}; or give more '
        f"labelled dev {unit}"
    )  # fmt: skip
    if not found.beats_chance(len(own)):
        share, chance = (100 * count / max(found.trials, 1) for count in (found.right, found.expected))
        raise CheckpointError(
            f"{source}: the model's labels ({join_names(own)}) are not the data's ({join_names(labels)}), and dev does "
            f"not tell which is which: the assignment that agrees best is right for {share:.1f} % of {found.trials} "
            f"labels on {rows} {unit}, and chance for {chance:.1f} %{remedy}"
        )
    if found.unclear:
        unclear = join_names([labels[i] for i in found.unclear])
        raise CheckpointError(
            f"{source}: the model's labels ({join_names(own)}) are not the data's, and dev does not tell which of them "
            f"{unclear} are: too few of {rows} {unit} have these labels, or the model confuses them{remedy}"
        )


def _described(found: Assignment, rows: int, unit: str) -> str:
    best, second = (100 * count / max(found.trials, 1) for count in (found.right, found.runner_up))
    return f"by agreement with {rows} dev {unit} ({best:.1f} %; the next best assignment {second:.1f} %)"


def _template(labels: Sequence[str]) -> str:
    shown = ", ".join(f'"{i}": "{name}"' for i, name in enumerate(labels[:2]))
    return f'"id2label": {{{shown}, ...}}' if len(labels) > 2 else f'"id2label": {{{shown}}}, or the other way round'


@dataclass(frozen=True)
class _Order:
    """Tags in one of the usual orders of label lists: the logit of O, and each type's logits by prefix."""

    prefixes: str
    scheme: str | None
    outside: int
    slots: tuple[tuple[int, ...], ...]


def name_tags(
    source: object,
    own: Sequence[str],
    labels: Sequence[str],
    tags: Sequence[Sequence[str]],
    chosen: Sequence[np.ndarray],
) -> Naming:
    """Names for the logits of a tagger, with B and I of a type kept together.

    Tries the orders in which label lists are usually written, in IOB2, IOB1, with I alone and in BIOES: O first or
    last, and tags grouped by type or by prefix. Types are assigned by the best agreement.

    Args:
        labels: the data's tags, IOB2. tags: those of each dev sentence. chosen: the model's best logit of each word.

    Raises `CheckpointError` as `name_by_rows` does.
    """
    types, logits = types_of(labels), len(own)
    said = np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in chosen])
    counts = {
        key: _counts([spelled(sentence, _names(types, *key), key[1]) for sentence in tags], said, logits)
        for key in {(order.prefixes, order.scheme) for order in _orders(logits, len(types))}
    }
    best: tuple[float, _Order, np.ndarray] | None = None
    for order in _orders(logits, len(types)):
        seen = counts[order.prefixes, order.scheme]
        gain = np.array([
            [sum(seen.get((f"{p}-{kind}", logit), 0) for p, logit in zip(order.prefixes, slot, strict=True))
             for slot in order.slots] for kind in types
        ])  # fmt: skip
        columns = best_assignment(gain)
        total = float(gain[np.arange(len(types)), columns].sum()) + seen.get((OUTSIDE, order.outside), 0)
        if best is None or total > best[0]:
            best = total, order, columns
    iob2 = [tag for sentence in tags for tag in sentence]
    one_by_one = _one_hot(np.array([labels.index(tag) for tag in iob2]), len(labels)), _one_hot(said, logits)
    free = assign(*one_by_one).right if logits >= len(labels) else 0
    if best is None or free - best[0] > _OUT_OF_ORDER * len(said):
        return name_by_rows(source, own, labels, *one_by_one, unit="words")
    _, order, columns = best
    names = [_left_over(name) for name in own]
    names[order.outside] = OUTSIDE
    for kind, column in zip(types, columns, strict=True):
        for prefix, logit in zip(order.prefixes, order.slots[column], strict=True):
            names[logit] = f"{prefix}-{kind}"
    # Only the types have to be distinguished: a word of an entity counts for the slot of its logit.
    slot_of = {logit: number for number, slot in enumerate(order.slots) for logit in slot}
    kinds = np.array([types.index(tag[2:]) if tag != OUTSIDE else len(types) for tag in iob2])
    slots = np.array([slot_of.get(int(logit), len(order.slots)) for logit in said])
    true, given = _one_hot(kinds, len(types) + 1)[:, :-1], _one_hot(slots, len(order.slots) + 1)[:, :-1]
    found = assign(true, given)
    check_clear(source, found, [own[slot[0]] for slot in order.slots], types, len(said), "words")
    return Naming(tuple(names), _described(found, len(said), "words"), order.scheme)


def _left_over(name: str) -> str:
    """A tag for a logit whose type is not in the data."""
    return f"B-{name}"


def _names(types: Sequence[str], prefixes: str, scheme: str | None) -> tuple[str, ...]:
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in types for prefix in prefixes))


def _counts(tags: Sequence[Sequence[str]], said: np.ndarray, logits: int) -> Counter[tuple[str, int]]:
    return Counter(zip((tag for sentence in tags for tag in sentence), said.tolist(), strict=True))


def _orders(logits: int, types: int) -> list[_Order]:
    """Every order of `logits` logits that has room for `types` types, the most common first."""
    found = []
    written: list[tuple[str, str | None]] = [("BI", None), ("BI", IOB1), ("I", None)]
    written += [("".join(letters), None) for letters in permutations("BIES")]
    for prefixes, scheme in written:
        width = len(prefixes)
        room, over = divmod(logits - 1, width)
        if over or room < types:
            continue
        for outside in (0, logits - 1):
            start = 1 if outside == 0 else 0
            together = tuple(tuple(start + slot * width + p for p in range(width)) for slot in range(room))
            apart = tuple(tuple(start + p * room + slot for p in range(width)) for slot in range(room))
            found += [_Order(prefixes, scheme, outside, slots) for slots in dict.fromkeys((together, apart))]
    return found


def _one_hot(values: np.ndarray, width: int) -> np.ndarray:
    return np.asarray(values[:, None] == np.arange(width))
