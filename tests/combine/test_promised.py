"""Options that steps with a promise share: what is refused, under the name of the step."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.combine.cascade import Cascade
from leanformer.combine.exits import CalibrateExits
from leanformer.combine.promised import Promised
from leanformer.errors import RecipeError


@pytest.mark.parametrize("step", [Cascade, CalibrateExits])
@pytest.mark.parametrize(
    "given",
    [
        {"max_loss": 0}, {"confidence": 0.3}, {"promise": "hope"}, {"on": "test"}, {"fit_share": 1.0},
        {"threshold": 1.5}, {"on": "unlabelled", "promise": "accuracy"},
    ],
)  # fmt: skip
def test_bad_options_are_refused_by_the_name_of_the_step(step: type[Promised], given: dict[str, Any]):
    with pytest.raises(RecipeError, match=step.technique):
        step(**given)


def test_the_promise_is_that_of_the_options():
    promise = CalibrateExits(max_loss=2.0, confidence=0.9).promised
    assert (promise.max_loss, promise.confidence, promise.of) == (2.0, 0.9, "agreement")
    assert Cascade().promised.of == "accuracy"
