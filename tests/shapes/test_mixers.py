"""Reference kinds of attention are plain data: they are written, read, and refused like the others."""

from __future__ import annotations

import pytest

from leanformer.errors import CheckpointError
from leanformer.shapes.attention import KINDS, MAIN, attention_from_json, attention_to_json
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.mixers import REFERENCE, Dss, FNet, Nystrom
from leanformer.shapes.patterns import Longformer
from tests.making.tiny import tiny_config


def test_none_is_of_the_main_tier_or_has_a_graph():
    assert not set(MAIN) & set(REFERENCE) and set(KINDS) == {*MAIN, *REFERENCE}
    assert not any(kind.has_graph or kind.scores for kind in REFERENCE.values())


@pytest.mark.parametrize("kind", REFERENCE.values(), ids=REFERENCE)
def test_it_is_written_and_read(kind):  # type: ignore[no-untyped-def]
    assert attention_from_json(attention_to_json(kind())) == kind()
    assert kind().elements(64, 8) >= 0 and kind().flops(64, 64, 8) <= kind().flops(128, 128, 8)


def test_options_are_checked():
    assert attention_from_json({"kind": "longformer", "window": 3}) == Longformer(window=3)
    with pytest.raises(CheckpointError, match="options of longformer"):
        attention_from_json({"kind": "longformer", "stride": 3})


def test_operations_that_are_no_pairs():
    assert FNet().flops(100, 100, 8) == 0 and Dss(state=16).flops(10, 10, 8) == 4 * 16 * 10 * 8
    assert Nystrom(landmarks=4, iterations=1).flops(10, 10, 8) == 12 * 10 * 4 * 8 + 4 * 16 * 8 + 8 * 64


def test_maps_are_counted():
    softmax, mixed = (
        tiny_config(layers=(LayerShape(4, 48, attention=kind()),)).shape() for kind in (MAIN["softmax"], FNet)
    )
    assert softmax.head_flops(0, 10) - mixed.head_flops(0, 10) == 4 * 2 * 10 * 32 * 8 + 4 * 100 * 8
