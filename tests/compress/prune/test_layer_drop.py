"""`compress.layer_drop`: which layers go by each strategy of the paper, and that the others stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.compress.prune.layer_drop import LayerDrop, dropped, least_contributing
from leanformer.errors import DataError, RecipeError
from leanformer.models.store import read_model
from leanformer.models.surgery import keep_layers
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.planned import PlannedShape
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_classifier, tiny_config, tiny_dataset

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"drop": 1, "strategy": "contribution", "texts": 40}
BAD = ({"strategy": "sideways"}, {"drop": "many"})
DEFAULTS = "1 188a9715d70d"

SHAPES = (LayerShape(4, 48), LayerShape(3, 40), LayerShape(4, 32), LayerShape(2, 48))
CONFIG = tiny_config(layers=SHAPES)


def drop(folder: Path, source: Artifact, **options: Any) -> Artifact:
    context = make_context(folder, source, data=replace(tiny_dataset(), test=None))
    return LayerDrop(**options)(source, context, folder / "dropped")


@pytest.mark.parametrize(
    ("strategy", "gone"),
    [
        ("top", {9, 10, 11, 12}), ("bottom", {1, 2, 3, 4}), ("symmetric", {5, 6, 7, 8}), ("alternate", {6, 8, 10, 12}),
        ("odd_alternate", {5, 7, 9, 11}),
    ],
)  # fmt: skip
def test_four_of_twelve_layers_go_as_in_the_paper(strategy: str, gone: set[int]):
    """Figure 1 and section 3.1 of the paper, layers from 1."""
    assert {layer + 1 for layer in dropped(strategy, 12, 4)} == gone


def test_of_an_odd_rest_more_low_layers_stay():
    assert dropped("symmetric", 6, 3) == {2, 3, 4}


@pytest.mark.parametrize(("strategy", "most"), [("top", 3), ("alternate", 2), ("contribution", 3)])
def test_too_many_are_refused(strategy: str, most: int, tmp_path: Path):
    source = tiny_artifact(tmp_path / "source", config=CONFIG)
    with pytest.raises(RecipeError, match=rf"drop {most + 1}, but .*\n  remedy: drop: {most} or less"):
        drop(tmp_path, source, strategy=strategy, drop=most + 1)
    assert not (tmp_path / "dropped").exists()
    assert len(read_model(drop(tmp_path, source, strategy=strategy, drop=most)).config.layers) == 4 - most


@pytest.mark.parametrize(("strategy", "stay"), [("top", [0, 1]), ("bottom", [2, 3]), ("alternate", [0, 2])])
def test_what_stays_is_as_it_was(strategy: str, stay: list[int], tmp_path: Path):
    source = tiny_artifact(tmp_path / "source", config=CONFIG)
    made = drop(tmp_path, source, strategy=strategy, drop=2)
    expected = keep_layers(read_model(source), stay).state_dict()
    state = read_model(made).state_dict()
    assert state.keys() == expected.keys() and all(torch.equal(state[key], expected[key]) for key in state)
    assert made.history[-1]["result"]["dropped"] == [i + 1 for i in range(4) if i not in stay]
    shape = PlannedShape(32, 8, tuple((layer.heads, layer.ffn) for layer in SHAPES))
    planned = LayerDrop(strategy=strategy, drop=2).planned(shape)
    assert planned is not None and planned.exact
    assert planned.layers == tuple((SHAPES[i].heads, SHAPES[i].ffn) for i in stay)


def test_layers_that_change_nothing_go_first(tmp_path: Path):
    """Two layers that add nothing to their input, which a norm with plain weights leaves as it is."""
    model = tiny_classifier(CONFIG)
    with torch.no_grad():
        for i in (0, 2):
            layer = model.encoder.layers[i]
            for part in (layer.attention.output, layer.ffn.down):
                part.weight.zero_()
                part.bias.zero_()
        for norm in (model.encoder.embeddings.norm, *(layer.ffn_norm for layer in model.encoder.layers)):
            norm.weight.fill_(1)
            norm.bias.zero_()
        for layer in model.encoder.layers:
            layer.attention_norm.weight.fill_(1)
            layer.attention_norm.bias.zero_()
    source = tiny_artifact(tmp_path / "source", config=CONFIG, model=model)
    made = drop(tmp_path, source, strategy="contribution", drop=2, texts=40)
    result = made.history[-1]["result"]
    assert result["dropped"] == [1, 3]
    assert result["similarity"][0] == result["similarity"][2] == 1.0 and max(result["similarity"][1::2]) < 0.99
    assert read_model(made).config.layers == (SHAPES[1], SHAPES[3])


def test_of_equal_layers_the_lower_goes():
    assert least_contributing(torch.tensor([0.5, 0.9, 0.9, 0.9]), 2) == {1, 2}


def test_contribution_needs_training_texts_and_place_none(tmp_path: Path):
    source = tiny_artifact(tmp_path / "source", config=CONFIG)
    context = make_context(tmp_path, source, data=replace(tiny_dataset(), train=None, unlabelled=None))
    LayerDrop(drop=1)(source, context, tmp_path / "top")
    with pytest.raises(DataError, match="neither a train nor an unlabelled split"):
        LayerDrop(drop=1, strategy="contribution")(source, context, tmp_path / "contribution")
