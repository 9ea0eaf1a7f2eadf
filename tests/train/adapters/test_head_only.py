"""The head alone is trained."""

from __future__ import annotations

from leanformer.train.adapters.head_only import HeadOnly
from tests.making.adapted import attached


def test_the_encoder_is_frozen_and_the_head_is_not() -> None:
    adapter = HeadOnly()
    model = attached(adapter)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {f"head.{name}" for name, _ in model.head.named_parameters()}
    assert adapter.trained_parameters(model) == 32 * 33 + 3 * 33 and adapter.task_bytes(model) == 4 * (33 * 35)
