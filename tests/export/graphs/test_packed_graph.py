"""The packed graph against PyTorch, and the padded one that is derived from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch

from leanformer.batching import pad
from leanformer.export.graphs.encoder_graph import encoder_graph
from leanformer.export.graphs.graph import operator_counts
from leanformer.export.graphs.packed_graph import expected_packed_operators, packed_graph, padded_graph
from leanformer.export.quantise import behind_norms, calibrate, linear_maps, quantise
from leanformer.runtime.packing import Lines, pack
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.feedforward import ACTIVATIONS
from tests.export.graphs.test_encoder_graph import SHAPES
from tests.making.sessions import session_of
from tests.making.tiny import tiny_classifier, tiny_config

LENGTHS = (3, 17, 9, 1, 30)
# All in one line; each in its own; several in some lines, with room left.
WAYS: tuple[Lines, ...] = ([[0, 1, 2, 3, 4]], [[0], [1], [2], [3], [4]], [[4], [2, 1], [3, 0]])


def rows_of(lengths: tuple[int, ...] = LENGTHS) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    return [generator.integers(1, 90, size=length) for length in lengths]


def run(graph: onnx.ModelProto, feed: dict[str, np.ndarray]) -> Any:
    return session_of(graph).run(["logits"], feed)[0]


def run_packed(graph: onnx.ModelProto, rows: list[np.ndarray], lines: Lines, length: int | None = None) -> np.ndarray:
    result = run(graph, pack(rows, lines, length).feed(types=False))
    ordered = np.empty_like(result)
    ordered[[i for line in lines for i in line]] = result
    return ordered


def run_padded(graph: onnx.ModelProto, rows: list[np.ndarray]) -> Any:
    ids, mask = pad(rows)
    return run(graph, {"input_ids": ids, "attention_mask": mask})


def torch_logits(model: torch.nn.Module, rows: list[np.ndarray]) -> np.ndarray:
    ids, mask = pad(rows)
    with torch.inference_mode():
        return model(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_packs_give_the_logits_of_the_model(shape: str, activation: str):
    model, rows = tiny_classifier(tiny_config(layers=SHAPES[shape], activation=activation)), rows_of()
    expected, graph = torch_logits(model, rows), packed_graph(model)
    assert expected.std() > 0.05
    for lines in WAYS:
        np.testing.assert_allclose(run_packed(graph, rows, lines), expected, atol=1e-4, rtol=0)
        np.testing.assert_allclose(run_packed(graph, rows, lines, 64), expected, atol=1e-4, rtol=0)
    np.testing.assert_allclose(run_padded(padded_graph(graph), rows), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["segments", "positions", "first"])
def test_every_input_counts(name: str):
    rows, graph = rows_of(), packed_graph(tiny_classifier())
    feed = pack(rows, WAYS[0]).feed(types=False)
    right = run(graph, feed)
    assert np.abs(run(graph, feed | {name: np.zeros_like(feed[name])}) - right).max() > 1e-3


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_padded_graph_has_the_nodes_of_the_usual_one(layers: int):
    model = tiny_classifier(tiny_config(layers=(LayerShape(3, 20),) * layers))
    packed = packed_graph(model)
    before = packed.SerializeToString()
    padded, usual = padded_graph(packed), encoder_graph(model)
    assert packed.SerializeToString() == before
    assert operator_counts(padded) == operator_counts(usual)
    assert operator_counts(packed) == expected_packed_operators(model.config)
    assert {tensor.name for tensor in padded.graph.initializer} == {tensor.name for tensor in usual.graph.initializer}
    assert [tensor.name for tensor in padded.graph.input] == ["input_ids", "attention_mask"]


def feeds(rows: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    return [pack(rows, lines).feed(types=False) for lines in ([[0], [1]], [[2, 3]], [[4]])]


@pytest.mark.parametrize("fixed", ["none", "behind norms", "all"])
def test_int8_survives_the_way_to_the_padded_graph(fixed: str):
    """In the padded graph the linear maps are the same, so is what goes into them, and so are the answers."""
    model, rows = tiny_classifier(tiny_config(layers=SHAPES["uneven"])), rows_of()
    graph = packed_graph(model)
    ranges = calibrate(graph, feeds(rows))
    wanted = {"none": set(), "behind norms": behind_norms(graph), "all": set(ranges)}[fixed]
    int8 = quantise(graph, {name: ranges[name] for name in wanted})
    assert not list(linear_maps(int8))
    alone, expected = run_packed(int8, rows, WAYS[1]), torch_logits(model, rows)
    assert 0 < np.abs(alone - expected).mean() < 0.1 * expected.std()
    np.testing.assert_allclose(run_padded(padded_graph(int8), rows), alone, atol=0.02, rtol=0)
    for lines in WAYS:
        np.testing.assert_allclose(run_packed(int8, rows, lines), alone, atol=0.02, rtol=0)


def test_what_stands_behind_a_norm():
    graph = packed_graph(tiny_classifier(tiny_config(layers=(LayerShape(2, 20),) * 2)))
    assert behind_norms(graph) == {
        "embeddings", "layer0.attention_norm", "layer1.tokens", "layer1.first", "layer1.attention_norm",
    }  # fmt: skip


def test_ranges_hold_what_was_seen_and_percentiles_clip_it():
    model, rows = tiny_classifier(), rows_of()
    graph = packed_graph(model)
    whole, clipped = calibrate(graph, feeds(rows)), calibrate(graph, feeds(rows), 90)
    names = list(whole)
    watched = onnx.ModelProto()
    watched.CopyFrom(graph)
    watched.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names)
    session = session_of(watched)
    values = [session.run(names, feed) for feed in feeds(rows)]
    for index, name in enumerate(names):
        seen = np.concatenate([value[index].ravel() for value in values])
        assert whole[name] == pytest.approx((min(0, seen.min()), max(0, seen.max())))
        assert clipped[name][1] - clipped[name][0] < whole[name][1] - whole[name][0]
