"""Recurrent classifiers as graphs: the logits of PyTorch, int8 near them, and run like any other graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import leanformer
from leanformer.artifact import Artifact
from leanformer.export.graphs.graph import operator_counts
from leanformer.export.graphs.lstm_graph import expected_lstm_operators, lstm_graph, quantise_lstm
from leanformer.export.int8 import METHODS, Int8
from leanformer.export.onnx import Onnx
from leanformer.export.standard import write_standard_onnx
from leanformer.ladder.operations import work_of
from leanformer.loading import open_predictor
from leanformer.models.bilstm import BiLstm
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.tagging.ragged import flat
from tests.making.graphs import make_context
from tests.making.native import INT8_DEFAULT
from tests.making.recurrent import recurrent_artifact, tiny_recurrent
from tests.making.sessions import session_of
from tests.making.tagged import tagged_dataset, tagged_examples
from tests.making.tiny import tiny_dataset, tiny_texts


def scored(graph: onnx.ModelProto, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.asarray(session_of(graph).run(["logits"], {"input_ids": ids, "attention_mask": mask})[0])


def torch_scored(model: BiLstm, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return model(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()


def block() -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([6, 1, 9, 4])
    mask = (np.arange(9)[None, :] < lengths[:, None]).astype(np.int64)
    return np.random.default_rng(2).integers(1, 60, mask.shape) * mask, mask


@pytest.mark.parametrize("pooling", ["none", "ends"])
def test_the_graph_has_the_logits_of_the_model(pooling: str) -> None:
    model, (ids, mask) = tiny_recurrent(pooling=pooling), block()
    graph = lstm_graph(model)
    real = mask.astype(bool) if pooling == "none" else slice(None)
    found, expected = scored(graph, ids, mask)[real], torch_scored(model, ids, mask)[real]
    assert expected.std() > 0.3
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
    assert operator_counts(graph) == expected_lstm_operators(model.config)
    int8 = onnx.ModelProto()
    int8.CopyFrom(graph)
    quantise_lstm(int8)
    assert operator_counts(int8)["DynamicQuantizeLSTM"] == 1 and "LSTM" not in operator_counts(int8)
    strayed = np.abs(scored(int8, ids, mask)[real] - expected)
    assert 0 < strayed.mean() < 0.1 * expected.std()


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact]:
    folder = tmp_path_factory.mktemp("tagger")
    recurrent = recurrent_artifact(folder / "recurrent", max_tokens=16)
    return recurrent, Onnx()(recurrent, make_context(folder, recurrent, data=tagged_dataset()), folder / "onnx")


def test_a_tagger_is_run_like_any_other(tagger: tuple[Artifact, Artifact], tmp_path: Path) -> None:
    recurrent, graph = tagger
    texts = [*tagged_examples(40, 9).texts, " ".join(tagged_examples(6, 8).texts), "a"]
    expected = flat(logits(TorchPredictor(recurrent), texts))
    for threads in (1, 2):
        light = open_predictor(graph, threads=threads)
        assert isinstance(light, LightPredictor) and light.engine == "onnxruntime"
        np.testing.assert_allclose(flat(logits(light, texts)), expected, atol=1e-4, rtol=0)
    exact = LightPredictor(graph, exact=True)
    assert np.array_equal(
        flat(logits(exact, texts[:5])), flat(logits(exact, texts))[: len(flat(logits(exact, texts[:5])))]
    )
    answer = leanformer.load(graph.path).predict([texts[0], texts[0].split(" ")])
    assert answer[0].tags == answer[1].tags and len(answer[0].tags or ()) == len(texts[0].split(" "))
    write_standard_onnx(graph, tmp_path / "standard.onnx")
    ids, mask = block()
    assert scored(onnx.load(tmp_path / "standard.onnx"), ids, mask).shape == (*ids.shape, 5)


@pytest.mark.parametrize("method", METHODS)
def test_int8_by_every_method(tagger: tuple[Artifact, Artifact], tmp_path: Path, method: str) -> None:
    recurrent, graph = tagger
    context = make_context(tmp_path, recurrent, data=tagged_dataset())
    int8 = Int8(method=method, max_flips=0.2, max_mean_share=0.15)(graph, context, tmp_path / "int8")
    assert int8.properties["operators"]["DynamicQuantizeLSTM"] == 1
    assert "LSTM" not in int8.properties["operators"]
    assert int8.bytes < 0.7 * graph.bytes  # the tokenizer stays as it is
    assert open_predictor(int8, threads=1).engine == INT8_DEFAULT  # type: ignore[attr-defined]


def test_texts_are_classified(tmp_path: Path) -> None:
    recurrent = recurrent_artifact(tmp_path / "recurrent", model=tiny_recurrent(pooling="ends"))
    graph = Onnx(max_difference=1e-3)(recurrent, make_context(tmp_path, recurrent, data=tiny_dataset()), tmp_path / "g")
    texts, _ = tiny_texts(30, 4)
    ours, theirs = logits(open_predictor(graph, threads=2), texts), logits(TorchPredictor(recurrent), texts)
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)
    lengths = [len(row) for row in TorchPredictor(recurrent).tokenize(texts)]
    for artifact in (recurrent, graph):
        done = work_of(artifact, open_predictor(artifact, threads=1), lengths)
        assert done["flops_per_text"] > 0 and done["traffic_bytes_per_text"] > 0 and 0 <= done["padding_waste"] < 1
