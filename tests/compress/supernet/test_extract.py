"""Taking a member out: the shape that was planned, the right layers, a note where the model is no supernet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from leanformer.compress.supernet.extract import Extract
from leanformer.models.store import read_model
from leanformer.models.subnet import extracted, member_of
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.planned import PlannedShape
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_config, tiny_dataset

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"depth": 0.5, "width": 0.5}
BAD = ({"depth": 0}, {"width": "half"})
DEFAULTS = "1 7d61cc2a8c33"

SHAPES = (LayerShape(4, 48), LayerShape(3, 40), LayerShape(4, 32), LayerShape(2, 48))


@pytest.mark.parametrize(("depth", "width"), [(1.0, 1.0), (0.5, 0.5), (0.75, 0.25)])
def test_it_is_the_member_and_has_the_planned_shape(depth: float, width: float, tmp_path: Path):
    source = tiny_artifact(tmp_path / "source", config=tiny_config(layers=SHAPES))
    said: list[str] = []
    context = make_context(tmp_path, source, data=replace(tiny_dataset(), test=None), say=said.append)
    made = read_model(Extract(depth=depth, width=width)(source, context, tmp_path / "made"))
    whole = read_model(source)
    expected = extracted(whole, member_of(whole.config, depth, width))
    assert made.config == expected.config
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in made.state_dict().items())
    planned = Extract(depth=depth, width=width).planned(PlannedShape(32, 8, tuple((s.heads, s.ffn) for s in SHAPES)))
    assert planned.exact and planned.layers == tuple((layer.heads, layer.ffn) for layer in made.config.layers)
    assert "not trained by compress.supernet" in said[0]
    assert f"{len(made.config.layers)} of 4 layers" in said[1]


def test_a_member_of_a_supernet_needs_no_note(tmp_path: Path):
    shares = {"depths": [1.0, 0.5], "widths": [1.0, 0.5]}
    source = tiny_artifact(
        tmp_path / "source", history=[{"step": "compress.supernet", "options": shares, "parent": None}]
    )
    said: list[str] = []
    context = make_context(tmp_path, source, say=said.append)
    made = Extract()(source, context, tmp_path / "made")
    assert len(said) == 1 and made.history[-1]["step"] == "compress.extract"
    Extract(width=0.75)(source, context, tmp_path / "untrained")
    assert said[1] == "note: no member of width 0.75 was trained, only 1.0, 0.5"
