"""Adapters are found by name, and each spec has a maker."""

from __future__ import annotations

from leanformer.train.adapters.bitfit import BitFit
from leanformer.train.adapters.ia3 import Ia3
from leanformer.train.adapters.kinds import ADAPTERS, adapter
from leanformer.train.adapters.lora import Lora
from leanformer.train.adapters.spec import NAMES


def test_each_name_makes_its_adapter() -> None:
    assert tuple(ADAPTERS) == NAMES
    assert [type(adapter(name)) for name in NAMES] == [BitFit, Lora, Lora, Ia3]
    made = adapter("dora:rank=3")
    assert isinstance(made, Lora) and (made.rank, made.alpha, made.directions) == (3, 6.0, True)
