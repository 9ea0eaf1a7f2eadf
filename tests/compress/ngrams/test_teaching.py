"""A teacher's probabilities as targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.compress.ngrams.teaching import taught_by
from leanformer.loading import open_predictor
from leanformer.metrics.probabilities import softmax
from leanformer.predictor import logits
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_dataset, tiny_kind_dataset


@pytest.mark.parametrize("use_unlabelled", [True, False])
def test_they_are_those_of_the_teacher(use_unlabelled: bool, tmp_path: Path):
    teacher, data = tiny_artifact(tmp_path / "teacher"), replace(tiny_dataset(), test=None)
    taught = taught_by(make_context(tmp_path, teacher, data=data), use_unlabelled=use_unlabelled, temperature=2.0)
    assert taught is not None and data.train is not None and data.unlabelled is not None
    assert list(taught.inputs) == [*data.train.inputs, *(data.unlabelled.inputs if use_unlabelled else ())]
    expected = softmax(logits(open_predictor(teacher, threads=1), taught.inputs).astype(float) / 2)
    assert np.allclose(taught.probabilities, expected, atol=1e-5)


def test_none_where_there_are_no_texts_or_another_form_of_answer(tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher")
    empty = replace(tiny_dataset(), train=None, unlabelled=None)
    for data in (empty, tiny_kind_dataset("regression")):
        assert taught_by(make_context(tmp_path, teacher, data=data), use_unlabelled=True, temperature=1.0) is None
