"""Our ONNX graph against the PyTorch model it was made from."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

from leanformer.export.graphs.encoder_graph import encoder_graph, expected_operators
from leanformer.export.graphs.graph import Graph, operator_counts
from leanformer.models.classifier import Classifier
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.feedforward import ACTIVATIONS
from tests.making.tiny import tiny_classifier, tiny_config

# Heads that do not span the hidden width of 32, and layers that differ from one another.
SHAPES = {
    "uniform": (LayerShape(4, 48), LayerShape(4, 48)),
    "narrow": (LayerShape(2, 16), LayerShape(2, 16)),
    "uneven": (LayerShape(3, 20), LayerShape(1, 48), LayerShape(5, 7)),
    "one layer": (LayerShape(3, 40),),
}
LENGTHS = (3, 17, 9, 1, 30)


def session(model: Classifier, *, token_types: bool = False) -> ort.InferenceSession:
    graph = encoder_graph(model, token_types=token_types)
    return ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def inputs(lengths: tuple[int, ...], width: int | None = None, seed: int = 3) -> dict[str, np.ndarray]:
    """Random ids with right padding, and token types that are not all zero."""
    generator = np.random.default_rng(seed)
    width = width or max(lengths)
    mask = (np.arange(width)[None, :] < np.array(lengths)[:, None]).astype(np.int64)
    ids = generator.integers(1, 90, size=mask.shape) * mask
    types = generator.integers(0, 2, size=mask.shape) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def torch_logits(model: Classifier, feed: dict[str, np.ndarray], *, token_types: bool = False) -> np.ndarray:
    tensors = {name: torch.from_numpy(value) for name, value in feed.items()}
    with torch.inference_mode():
        types = tensors["token_type_ids"] if token_types else None
        return model(tensors["input_ids"], tensors["attention_mask"], types).numpy()


def run(session: ort.InferenceSession, feed: dict[str, np.ndarray]) -> Any:
    wanted = {input_.name for input_ in session.get_inputs()}
    return session.run(["logits"], {name: value for name, value in feed.items() if name in wanted})[0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_graph_gives_the_logits_of_the_model(shape: str, activation: str):
    model = tiny_classifier(tiny_config(layers=SHAPES[shape], activation=activation))
    feed = inputs(LENGTHS)
    ours, theirs = run(session(model), feed), torch_logits(model, feed)
    assert ours.shape == (len(LENGTHS), 3)
    assert theirs.std() > 0.05, "logits that are all alike would agree with anything"
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)


def test_activations_differ_from_one_another():
    """Otherwise the test above could not tell a wrong activation."""
    feed = inputs(LENGTHS)
    results = [
        torch_logits(tiny_classifier(tiny_config(activation=activation)), feed) for activation in ("gelu", "relu")
    ]
    assert np.abs(results[0] - results[1]).max() > 1e-3


@pytest.mark.parametrize("shape", ["uniform", "uneven"])
def test_token_types_are_a_third_input(shape: str):
    model = tiny_classifier(tiny_config(layers=SHAPES[shape]))
    feed, graph = inputs(LENGTHS), session(model, token_types=True)
    assert [input_.name for input_ in graph.get_inputs()] == ["input_ids", "attention_mask", "token_type_ids"]
    typed = torch_logits(model, feed, token_types=True)
    assert np.abs(typed - torch_logits(model, feed)).max() > 1e-2, (
        "the types must matter for this test to mean anything"
    )
    np.testing.assert_allclose(run(graph, feed), typed, atol=1e-4, rtol=0)
    zeros = feed | {"token_type_ids": np.zeros_like(feed["input_ids"])}
    np.testing.assert_allclose(run(graph, zeros), run(session(model), feed), atol=1e-5, rtol=0)


def test_batch_and_length_are_free_on_one_session():
    model = tiny_classifier(tiny_config(layers=SHAPES["uneven"]))
    graph = session(model)
    for lengths in ((5,), (1,), (64,), (2, 2, 2), (40, 3, 7, 64), tuple(range(1, 20))):
        feed = inputs(lengths, seed=sum(lengths))
        np.testing.assert_allclose(run(graph, feed), torch_logits(model, feed), atol=1e-4, rtol=0)


def test_right_padding_changes_nothing():
    model = tiny_classifier(tiny_config(layers=SHAPES["uneven"]))
    graph = session(model)
    narrow = inputs(LENGTHS)
    wide = {name: np.pad(value, ((0, 0), (0, 25))) for name, value in narrow.items()}
    # What stands under the padding must not matter either.
    other = wide | {"input_ids": np.where(wide["attention_mask"] == 1, wide["input_ids"], 7)}
    assert (other["input_ids"] != wide["input_ids"]).any()
    expected = run(graph, narrow)
    np.testing.assert_allclose(run(graph, wide), expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose(run(graph, other), expected, atol=1e-5, rtol=0)


def test_the_mask_is_used():
    model = tiny_classifier()
    feed = inputs(LENGTHS)
    blind = feed | {"attention_mask": np.ones_like(feed["attention_mask"])}
    graph = session(model)
    assert np.abs(run(graph, blind) - run(graph, feed)).max() > 1e-3


@pytest.mark.parametrize("token_types", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_operators_are_those_expected(layers: int, activation: str, token_types: bool):
    config = tiny_config(layers=(LayerShape(2, 12),) * layers, activation=activation, hidden=16)
    counts = operator_counts(encoder_graph(Classifier(config), token_types=token_types))
    assert counts == expected_operators(config, token_types=token_types)
    assert counts["MatMul"] == 6 * layers + 3
    assert counts["Shape"] == 1
    assert not {"Concat", "Expand", "Where", "ConstantOfShape", "Range"} & set(counts)


def test_a_dead_end_in_the_graph_is_refused():
    graph = Graph()
    graph.node("Relu", ["nowhere"], "logits")
    with pytest.raises(Exception, match="nowhere"):
        graph.model({"input_ids": ["batch", "tokens"]}, {"logits": ["batch", 2]})
