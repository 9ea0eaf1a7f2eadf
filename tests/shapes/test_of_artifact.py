"""The shape that is read from an artifact's files is that of the model in it, and so is the count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.export.onnx import Onnx
from leanformer.ladder.operations import work_of
from leanformer.loading import open_predictor
from leanformer.models.store import read_model
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.flops import EncoderShape
from leanformer.shapes.of_artifact import shape_of_artifact, shape_of_properties
from tests.making.family_models import CASES, family_artifact
from tests.making.graphs import make_context, make_embedder
from tests.making.tagged import tagger_artifact, tiny_tagger
from tests.shapes.test_encoder import counted


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_what_is_measured_of_an_artifact_is_the_same_count(case: tuple[str, str], tmp_path: Path):
    """Through files: the encoder's own, and what the graph of each family, packed or padded, tells."""
    artifact = family_artifact(tmp_path / "encoder", *case)
    model = read_model(artifact)
    shape = shape_of_artifact(artifact)
    assert shape is not None
    assert counted(model, 17, rows=3) == shape.flops(3, 17)
    graph = Onnx(max_flips=1.0)(artifact, make_context(tmp_path, artifact), tmp_path / "graph")
    assert shape_of_artifact(graph) == model.config.shape(first_token_only=True)
    found = work_of(graph, open_predictor(graph, threads=1), [5, 9, 24])
    padded = graph.properties["layout"] == "padded"
    assert (found["padding_waste"] is not None) is padded
    alone = [model.config.shape(first_token_only=True).flops(1, length) for length in (5, 9, 24)]
    assert found["flops_per_text"] >= sum(alone) / 3
    if not padded:
        assert found["flops_per_text"] == pytest.approx(sum(alone) / 3)
    else:
        old = {name: value for name, value in graph.properties.items() if name != "gated_ffn"}
        assert shape_of_properties(old, 3, first_only=True) is None, "a graph from before does not tell"


def test_a_tagger_has_logits_at_every_token(tmp_path: Path):
    model = tiny_tagger(layers=(LayerShape(4, 48), LayerShape(1, 7)))
    assert counted(model, 17, rows=3) == 3 * model.config.shape().flops(1, 17)
    assert model.config.shape().flops(1, 17) == model.config.shape(first_token_only=True).flops(1, 17)
    artifact = tagger_artifact(tmp_path / "tagger", model=model)
    shape = model.config.shape()
    assert shape_of_artifact(artifact) == shape and shape.every_token and not shape.pooler
    properties = {"hidden": 32, "head_size": shape.head_size, "layers": [[4, 48], [1, 7]], "pooling": "none"}
    assert shape_of_properties(properties | {"hidden": shape.hidden}, shape.labels, first_only=True) == shape


def test_a_graph_that_gives_vectors_has_no_head(tmp_path: Path):
    encoder, graph, _ = make_embedder(tmp_path, "mean")
    shapes = [shape_of_artifact(artifact) for artifact in (encoder, graph)]
    assert [shape.labels for shape in shapes if isinstance(shape, EncoderShape)] == [0, 0]
    assert shapes[0] is not None and shapes[1] is not None and shapes[0].flops(2, 9) == shapes[1].flops(2, 9)


def test_the_shape_comes_from_an_artifacts_properties():
    properties = {"hidden": 384, "layers": [[12, 1536], [6, 700]]}
    whole = EncoderShape(384, 32, ((12, 1536), (6, 700)), 2)
    assert shape_of_properties(properties, 2, first_only=True) == replace(whole, first_only=True)
    assert shape_of_properties(properties | {"head_size": 64}, 2, first_only=False) == replace(whole, head_size=64)
    assert shape_of_properties({"parameters": 5}, 2, first_only=True) is None
