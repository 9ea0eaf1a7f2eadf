"""Data with a single label are refused before anything is trained, unless a teacher has others to give."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.variety import require_variety
from leanformer.errors import DataError
from tests.making.tiny import tiny_dataset


def alike(examples: Examples | None) -> Examples:
    assert examples is not None
    return replace(examples, labels=(1,) * len(examples))


def test_different_labels_pass():
    require_variety(tiny_dataset())
    require_variety(replace(tiny_dataset(), train=None))


@pytest.mark.parametrize("change", ["unlabelled", "dev alike"])
def test_a_single_label_is_refused_where_nothing_else_teaches(change: str):
    data = tiny_dataset()
    alone: Dataset = replace(data, train=alike(data.train))
    require_variety(alone)  # unlabelled texts, and a dev split that tells answers apart
    lacking = replace(alone, unlabelled=None) if change == "unlabelled" else replace(alone, dev=alike(data.dev))
    with pytest.raises(DataError, match=r"train texts has the label 'sport': there is nothing to tell apart\n  remedy"):
        require_variety(lacking)
