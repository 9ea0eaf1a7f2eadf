"""Labels of each form: what passes, and what is refused with the label that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leanformer.answers import labels_check as checks


@pytest.mark.parametrize(
    ("check", "labels", "rest"),
    [
        (checks.check_label, [0, 2, 2], (3,)),
        (checks.check_choice, [0, 7], ()),
        (checks.check_spans, [((0, 3), (5, 6)), ()], ()),
        (checks.check_labels, [(), (0, 2), (1,)], (3,)),
        (checks.check_score, [0.0, -1.5], ()),
        (checks.check_tags, [(0, 1), (1,)], (["two words", "one"], 2)),
    ],
)
def test_labels_of_the_form_pass(check: Callable[..., None], labels: list[Any], rest: tuple[Any, ...]):
    check(labels, *rest)
    check([], *(([], rest[1]) if len(rest) == 2 else rest))


@pytest.mark.parametrize(
    ("check", "labels", "rest", "said"),
    [
        (checks.check_label, [0, 3], (3,), "label 3 is not an index into the 3 label names"),
        (checks.check_label, [-1], (3,), "label -1 is not an index"),
        (checks.check_choice, [True], (), "label True is not the number of a candidate"),
        (checks.check_choice, [-1], (), "label -1 is not the number"),
        (checks.check_choice, [1.0], (), "label 1.0 is not the number"),
        (checks.check_spans, [((3, 3),)], (), r"label \(\(3, 3\),\) is not a tuple of spans"),
        (checks.check_spans, [((-1, 3),)], (), "is not a tuple of spans"),
        (checks.check_spans, [5], (), "label 5 is not a tuple of spans"),
        (checks.check_labels, [0], (3,), "label 0 is not a tuple of indices"),
        (checks.check_labels, [(2, 1)], (3,), r"labels \(2, 1\) are not rising indices into the 3 label names"),
        (checks.check_labels, [(1, 1)], (3,), "are not rising indices"),
        (checks.check_labels, [(3,)], (3,), "are not rising indices"),
        (checks.check_score, [1], (), "score 1 is not a finite decimal number"),
        (checks.check_score, [float("inf")], (), "score inf is not a finite"),
        (checks.check_tags, [(0, 2)], (["two words"], 2), r"tags \(0, 2\) are not a tuple of indices into the 2"),
        (checks.check_tags, [0], (["one"], 2), "tags 0 are not a tuple"),
        (checks.check_tags, [(0,), (0,)], (["one", "two words"], 2), "example 2 has 2 words and 1 tags"),
    ],
)
def test_other_labels_are_refused(check: Callable[..., None], labels: list[Any], rest: tuple[Any, ...], said: str):
    with pytest.raises(ValueError, match=said):
        check(labels, *rest)
