"""Entity F1: an entity is right if its type and both its boundaries are (Tjong Kim Sang and De Meulder 2003).

The figures equal seqeval's, for tags in any scheme. For sequences that are not legal IOB2, its two modes differ: by
default a tag that continues no entity of its type begins one, as in conlleval; in strict IOB2 only a B begins one. Our
models' tags are legal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.tagging.ragged import flat
from leanformer.tagging.schemes import BEGINS, ENDS, split_tag, types_of

CORRECT, PREDICTED, GOLD = range(3)


@dataclass(frozen=True)
class _Tags:
    """For each tag: index of its type (-1 for O), whether it begins an entity, and whether it ends one (E, L, S, U)."""

    types: tuple[str, ...]
    type_of: np.ndarray
    begins: np.ndarray
    ends: np.ndarray


def _tags(labels: Sequence[str]) -> _Tags:
    types = types_of(labels)
    parts = [split_tag(label) for label in labels]
    kinds = np.array([types.index(kind) if kind else -1 for _, kind in parts])
    begins, ends = (np.array([prefix in which for prefix, _ in parts]) for which in (BEGINS, ENDS))
    return _Tags(types, kinds, begins, ends)


def entity_counts(
    answers: np.ndarray, targets: np.ndarray, labels: Sequence[str], *, strict: bool = False
) -> np.ndarray:
    """Entities of each sentence by type, int64 `[n, types, 3]`: correct, predicted, gold.

    Args:
        answers, targets: ragged arrays `[n]` of tag indices `[words]`. labels: the tags; types are sorted.
        strict: read both as strict IOB2.

    Raises `ValueError` if answers and targets have different numbers of words.
    """
    tags = _tags(labels)
    lengths = np.array([len(target) for target in targets], dtype=np.int64)
    if [len(answer) for answer in answers] != lengths.tolist():
        raise ValueError("answers and targets have different numbers of words")
    begins_sentence = np.zeros(int(lengths.sum()) + 1, dtype=bool)
    begins_sentence[np.cumsum(lengths)] = True
    begins_sentence[0] = True
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    found = [_entities(flat(given).astype(np.int64), begins_sentence, tags, strict) for given in (answers, targets)]
    ours, theirs = (_keys(entities, len(sentence), len(tags.types)) for entities in found)
    right = np.flatnonzero(np.isin(ours, theirs))
    counts = np.zeros((len(lengths), len(tags.types), 3), dtype=np.int64)
    (start, _, kind), (gold_start, _, gold_kind) = found
    np.add.at(counts[..., PREDICTED], (sentence[start], kind), 1)
    np.add.at(counts[..., GOLD], (sentence[gold_start], gold_kind), 1)
    np.add.at(counts[..., CORRECT], (sentence[start[right]], kind[right]), 1)
    return counts


def _entities(
    tags: np.ndarray, begins_sentence: np.ndarray, names: _Tags, strict: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First word, end (exclusive) and type of each entity, with words numbered through all sentences."""
    if not len(tags):
        return (np.zeros(0, np.int64),) * 3
    kind, begins = names.type_of[tags], names.begins[tags]
    before = np.concatenate([[-1], kind[:-1]])
    ended = np.concatenate([[False], names.ends[tags[:-1]]])
    goes_on = (kind >= 0) & ~begins & ~ended & (kind == before) & ~begins_sentence[:-1]
    start = np.flatnonzero((kind >= 0) & ~goes_on)
    # An entity ends before the next word that does not continue it.
    stops = np.append(np.flatnonzero(~goes_on), len(tags))
    end = stops[np.searchsorted(stops, start, side="right")]
    kept = begins[start] if strict else np.ones(len(start), dtype=bool)
    return start[kept], end[kept], kind[start[kept]]


def _keys(entities: tuple[np.ndarray, np.ndarray, np.ndarray], words: int, types: int) -> np.ndarray:
    start, end, kind = entities
    return np.asarray((start * (words + 1) + end) * max(types, 1) + kind)


def f1(counts: np.ndarray) -> np.ndarray:
    """F1 of counts `[..., 3]`, `[...]`: 2 correct / (predicted + gold), and 0 if there are neither."""
    total = counts[..., PREDICTED] + counts[..., GOLD]
    return np.asarray(2 * counts[..., CORRECT] / np.maximum(total, 1))


def entity_f1(answers: np.ndarray, targets: np.ndarray, labels: Sequence[str], *, strict: bool = False) -> float:
    """Micro-averaged entity F1, 0 to 1."""
    return float(f1(entity_counts(answers, targets, labels, strict=strict).sum(axis=(0, 1))))


def by_group(counts: np.ndarray, groups: Sequence[str]) -> dict[str, float]:
    """Entity F1 of each group (language) of sentences, names sorted."""
    names = np.asarray(groups, dtype=object)
    return {name: float(f1(counts[names == name].sum(axis=(0, 1)))) for name in sorted(set(groups))}


def mean_and_deviation(scores: Sequence[float]) -> tuple[float, float]:
    """Mean over groups and their population standard deviation: the groups are all there are."""
    values = np.asarray(scores, dtype=np.float64)
    return float(values.mean()), float(values.std())
