"""What an adapter is asked for by: names, settings, and errors that say which there are."""

from __future__ import annotations

import pytest

from leanformer.compress.distil.distil import Distil
from leanformer.errors import LeanformerError
from leanformer.finetune.fine_tune import FineTune
from leanformer.train.adapters.spec import AdapterSpec, read_spec


def test_settings_have_the_literatures_defaults() -> None:
    assert read_spec("lora") == AdapterSpec("lora", 5e-4, 8, 16.0, ("query", "value"))
    assert read_spec("dora:on=up+down").on == ("up", "down")
    assert read_spec("ia3") == AdapterSpec("ia3", 3e-3, on=("key", "value", "down"))
    assert read_spec("bitfit").rate == 1e-3


def test_alpha_follows_the_rank_unless_it_is_given() -> None:
    assert read_spec("lora:rank=4").alpha == 8 and read_spec("lora:rank=4,alpha=4").alpha == 4


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("houlsby", r"adapter is one of bitfit, lora, dora, ia3, not 'houlsby'\n  remedy: a name"),
        (None, "not None"),
        ("lora:depth=3", r"adapter lora has no setting 'depth'\n  remedy: one of rank, alpha, on, rate"),
        ("ia3:rank=3", r"adapter ia3 has no setting 'rank'\n  remedy: one of on, rate"),
        ("lora:rank=0", r"rank is a whole number of at least 1, not '0'\n  remedy: rank=8"),
        ("lora:rank=1.5", "rank is a whole number"),
        ("lora:alpha=nan", "alpha is a number above 0, not 'nan'"),
        ("lora:on=query+q", r"on=query\+q: no maps of a layer\n  remedy: some of query, key"),
    ],
)
def test_anything_else_is_refused(value: object, message: str) -> None:
    with pytest.raises(LeanformerError, match=message):
        read_spec(value)


@pytest.mark.parametrize("step", [FineTune, Distil])
def test_the_rate_is_the_adapters_unless_the_steps_is_changed(step: type) -> None:
    assert step(adapter="lora").settings(1).learning_rate == 5e-4
    assert step(adapter="lora", learning_rate=2e-3).settings(1).learning_rate == 2e-3
    assert step(adapter="lora:rate=1e-4", learning_rate=2e-3).settings(1).learning_rate == 1e-4
    assert step().settings(1).learning_rate == step().learning_rate
