"""Names of a checkpoint's logits: `id2label` in order, placeholders without it, and what names them wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.errors import CheckpointError
from leanformer.models.hf.labels import label_names


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"id2label": {"1": "b", "0": "a"}}, ("a", "b")),
        ({"id2label": {str(i): f"n{i}" for i in range(12)}}, tuple(f"n{i}" for i in range(12))),
        ({"id2label": {"0": 4, "1": 5}}, ("4", "5")),
        ({"num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
        ({}, ("LABEL_0", "LABEL_1")),
        ({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": "1"}}, ("a", "b")),
        ({"id2label": {"0": "a", "1": "b"}, "label2id": {"LABEL_0": 1, "LABEL_1": 0}}, ("a", "b")),  # left over
    ],
)
def test_names_are_in_the_order_of_the_logits(config: dict[str, Any], names: tuple[str, ...]):
    assert label_names(config, "here", None) == label_names(config, "here", len(names)) == names


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"id2label": ["a", "b"]}, r'is a list, .*\n  remedy: write it as \{"0": "a", "1": "b"\}'),
        ({"id2label": {"0": "a", "2": "b"}}, "2 names up to number 2, and none for logit 1"),
        ({"id2label": {"0": "a", "01": "b"}}, "has the key '01', which is not the number of a logit"),
        ({"id2label": {"0": "a", "-1": "b"}}, "has the key '-1'"),
        ({"id2label": {"0": None}}, "names logit 0 null, which is not a text"),
        ({"id2label": {"0": True}}, "names logit 0 true"),
        ({"id2label": {"0": " "}}, "the name of logit 0 is empty"),
        ({"id2label": {"0": "a\ud800"}}, "is half of a character"),
        ({"id2label": {"0": "a", "1": "a"}}, "gives logits 0 and 1 the same name, 'a'"),
        ({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}}, "disagree: label2id has 'a' for 1"),
        ({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0}}, "disagree: label2id has no 'b'"),
        ({"num_labels": 0}, "num_labels is 0, and not a number of labels"),
        ({"num_labels": True}, "num_labels is True"),
    ],
)
def test_what_names_logits_wrongly_is_refused_with_a_remedy(config: dict[str, Any], said: str):
    with pytest.raises(CheckpointError, match=said) as caught:
        label_names(config, "here", None)
    assert str(caught.value).startswith("here/config.json: ") and "\n  remedy: " in str(caught.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"id2label": {"0": "a"}}, "id2label stands for 1 label, and the classifier's weights have 3 logits"),
        ({"num_labels": 2}, "num_labels stands for 2 labels"),
        ({}, "the missing id2label stands for 2 labels"),
    ],
)
def test_there_are_as_many_names_as_logits(config: dict[str, Any], said: str):
    with pytest.raises(CheckpointError, match=said):
        label_names(config, "here", 3)
