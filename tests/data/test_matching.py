"""Names of a checkpoint's labels and those of the data: which match, and what the logits are then called."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.data.matching import are_placeholders, match_by_name, match_in_order
from leanformer.errors import CheckpointError

UNNAMED = ("LABEL_0", "LABEL_1", "LABEL_2")
CHECKPOINT = Path("checkpoint")


@pytest.mark.parametrize(
    ("own", "labels", "names"),
    [
        (("bad", "good", "mixed"), ("good", "bad"), ("bad", "good", "mixed")),
        (("NEGATIVE", "POSITIVE", "MIXED"), ("positive", "negative"), ("negative", "positive", "MIXED")),
        (UNNAMED, ("0", "2"), ("0", "1", "2")),
        (UNNAMED, ("LABEL_1",), UNNAMED),
        (("label_0", "label_1"), ("0", "1"), ("0", "1")),
        (("bad", "good"), ("0", "1"), ("bad", "good")),
        (("O", "B-PER", "I-PER", "B-LOC", "I-LOC"), ("O", "S-LOC"), ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")),
    ],
)
def test_names_that_match(own: tuple[str, ...], labels: tuple[str, ...], names: tuple[str, ...]):
    assert match_by_name(own, labels) == names
    assert match_in_order(own, labels, CHECKPOINT) == names


@pytest.mark.parametrize(
    ("own", "labels"),
    [
        (("bad", "good"), ("bad", "fine")),
        (("Bad", "BAD"), ("bad",)),  # which of the two is meant is not known
        (("bad", "good"), ("Bad", "bad", "good")),
        (("O", "B-PER"), ("O", "B-LOC")),
        (UNNAMED, ("0", "3")),
    ],
)
def test_names_that_do_not_match_are_refused_with_both(own: tuple[str, ...], labels: tuple[str, ...]):
    assert match_by_name(own, labels) is None
    if not are_placeholders(own):
        with pytest.raises(CheckpointError, match=r"checkpoint: the model's labels .* are not the data's") as caught:
            match_in_order(own, labels, CHECKPOINT)
        assert "\n  remedy: set id2label" in str(caught.value)


def test_placeholders_take_names_in_order_and_numbers_by_value():
    assert match_in_order(UNNAMED, ("c", "a", "b"), CHECKPOINT) == ("c", "a", "b")
    assert match_in_order(UNNAMED, ("10", "2", "1"), CHECKPOINT) == ("1", "2", "10")
    assert match_in_order(UNNAMED, None, CHECKPOINT) == UNNAMED
    with pytest.raises(CheckpointError):
        match_in_order(UNNAMED, ("a", "b"), CHECKPOINT)
    assert not are_placeholders(("LABEL_1", "LABEL_0")), "in another order they are names"
