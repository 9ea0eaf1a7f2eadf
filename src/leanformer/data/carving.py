"""Taking a dev split out of train if there is none."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from leanformer.answers.forms import form_of
from leanformer.data.examples import Examples
from leanformer.data.overlap import group_rows

_DEV_FRACTION = 10  # one row in ten


def strata(examples: Examples) -> tuple[int, ...]:
    """Values to stratify by: the label of each example; its rarest if there are several (-1 for none); its score's bin.

    For tags, the rarest tag of the sentence, separately for each language.
    """
    return form_of(examples.task).strata(examples.targets, examples.task.labels, examples.languages)


def carve_dev(keys: Sequence[str], labels: Sequence[int], seed: int) -> tuple[int, ...]:
    """Choose about a tenth of the rows as dev, stratified by label.

    `keys` are the normalised texts of the rows (`overlap.normalise_text`), or what several of them share
    (`Input.shared`). Rows with the same key go to the same side, so that dev holds no text of train. No class is ever
    removed from train completely. The choice depends on the seed and on the texts, not on the order of the rows.

    Returns the chosen row indices, ascending; empty if no row can be spared.
    """
    groups = group_rows(keys)
    classes = {key: Counter(labels[row] for row in rows) for key, rows in groups.items()}
    texts_left: Counter[int] = Counter()  # distinct texts per class that are still in train
    by_class: dict[int, list[str]] = {}
    for key, present in classes.items():
        texts_left.update(present.keys())
        # A text with conflicting labels counts with its most frequent one; ties go to the lowest.
        by_class.setdefault(min(present, key=lambda label: (-present[label], label)), []).append(key)

    chosen: list[int] = []

    def take(key: str) -> int:
        texts_left.subtract(classes[key].keys())
        chosen.extend(groups[key])
        return len(groups[key])

    def can_spare(key: str) -> bool:
        return all(texts_left[label] > 1 for label in classes[key])

    for label, wanted in _shares(labels, seed).items():
        # Ordering by hash is a shuffle that depends neither on numpy's version nor on the order of the file.
        order = sorted(by_class.get(label, ()), key=lambda key: _draw(seed, key))
        taken = 0
        for key in order:
            if taken + len(groups[key]) <= wanted and can_spare(key):
                taken += take(key)
        if taken == 0 < wanted:
            # Every text of the class repeats so often that none fits: one that is too large is better than none.
            spare = [key for key in order if can_spare(key)]
            if spare:
                take(min(spare, key=lambda key: len(groups[key])))
    return tuple(sorted(chosen))


def _shares(labels: Sequence[int], seed: int) -> dict[int, int]:
    """Rows wanted per class: a tenth of each, with leftover rows going to the classes with the largest remainders."""
    sizes = Counter(labels)
    shares = {label: size // _DEV_FRACTION for label, size in sorted(sizes.items())}
    missing = max(1, round(len(labels) / _DEV_FRACTION)) - sum(shares.values())
    by_remainder = sorted(sizes, key=lambda label: (-(sizes[label] % _DEV_FRACTION), _draw(seed, str(label))))
    for label in by_remainder[:missing]:
        shares[label] += 1
    return shares


def _draw(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{key}".encode()).digest()
