"""Models with random weights: of the shape and the family that is asked for, in the precision that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.errors import LeanformerError
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.tune.random_model import random_model, shape_of
from tests.making.family_models import family_artifact
from tests.making.tagged import tagger_artifact
from tests.making.tiny import tiny_artifact, tiny_config


@pytest.mark.parametrize("precision", ["fp32", "int8 mixed"])
def test_the_graph_has_the_layers_and_the_precision(precision: str, tmp_path: Path):
    source = tiny_artifact(tmp_path / "source")
    made = random_model(source, ((3, 40), (1, 8), (4, 48)), tmp_path / "made", precision=precision, threads=1)
    assert made.properties["layers"] == [[3, 40], [1, 8], [4, 48]] and made.properties["precision"] == precision
    assert made.properties["hidden"] == tiny_config().hidden and made.max_tokens == source.max_tokens
    assert logits(LightPredictor(made, threads=1), ["a b c", "d"]).shape == (2, 3)


@pytest.mark.parametrize("family", ["mpnet", "modernbert"])
def test_of_other_families_too(family: str, tmp_path: Path):
    source = family_artifact(tmp_path / "source", family)
    whole = shape_of(source)
    made = random_model(source, ((1, 8),), tmp_path / "made", precision="int8 mixed", threads=1)
    assert made.properties["layers"] == [[1, 8]] and made.properties["hidden"] == whole.hidden


def test_of_a_tagger_the_head_averages(tmp_path: Path):
    made = random_model(tagger_artifact(tmp_path / "source"), ((1, 8),), tmp_path / "made", precision="fp32", threads=1)
    assert made.properties["pooling"] == "mean"


def test_another_precision_is_refused(tmp_path: Path):
    source = tiny_artifact(tmp_path / "source")
    with pytest.raises(LeanformerError, match="no model of precision int4"):
        random_model(source, ((1, 8),), tmp_path / "made", precision="int4", threads=1)
