"""Every peer gives the answers of `transformers`: what is compared in speed computes the same thing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peers.graphs import fuse, onnxruntime_int8, trace, write_ctranslate2, write_stock
from benchmarks.peers.padded import (
    CTranslate2,
    CTranslate2ByTokens,
    OnnxRuntime,
    OpenVino,
    OpenVinoQueue,
    SentenceTransformers,
    SideBySide,
    Transformers,
    in_order_of_length,
)
from benchmarks.peers.runners import F32, ONNXRUNTIME, OPENVINO, Peers, Pipeline, prepare
from leanformer.artifact import Artifact
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from tests.making.family_models import family_artifact
from tests.making.tiny import TASK, tiny_artifact, tiny_config, tiny_texts

TEXTS = [*tiny_texts(30, 3)[0], "rain", "a " * 60]
LIMIT = 32
CONFIG = tiny_config(hidden=32, head_size=8)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "teacher", config=CONFIG, seed=11, max_tokens=LIMIT)


@pytest.fixture(scope="module")
def folder(teacher: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stock checkpoint, and the graphs made of it beside it."""
    place = tmp_path_factory.mktemp("peers")
    write_stock(teacher, place / "stock")
    trace(place / "stock", place / "traced.onnx")
    fuse(place / "traced.onnx", place / "fused.onnx", 4, 32)
    for name in ("traced", "fused"):
        onnxruntime_int8(place / f"{name}.onnx", place / f"{name}-int8.onnx")
        onnxruntime_int8(place / f"{name}.onnx", place / f"{name}-channels.onnx", per_channel=True)
    return place


@pytest.fixture(scope="module")
def expected(folder: Path) -> np.ndarray:
    """One text at a time in fp32."""
    values = logits(Transformers(folder / "stock", TASK, LIMIT, 1), TEXTS)
    assert np.unique(values.argmax(axis=1)).size > 1
    return values


def test_fp32_graphs_are_the_same_model(folder: Path, expected: np.ndarray):
    stock = folder / "stock"
    for name in ("traced", "fused"):
        for batch in (1, 8):
            one = OnnxRuntime(stock, TASK, LIMIT, batch, folder / f"{name}.onnx", 1)
            np.testing.assert_allclose(logits(one, TEXTS), expected, atol=1e-4, err_msg=name)
            np.testing.assert_allclose(in_order_of_length(one, TEXTS), expected, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(SentenceTransformers(stock, TASK, LIMIT, 8)(TEXTS), expected, atol=1e-4)
    half = logits(Transformers(stock, TASK, LIMIT, 8, torch.bfloat16), TEXTS)
    assert 0 < np.abs(half - expected).mean() < 0.05 * expected.std()


@pytest.mark.parametrize("name", ["traced-int8", "fused-int8", "traced-channels", "fused-channels"])
def test_int8_graphs_are_close_and_not_the_same(name: str, folder: Path, expected: np.ndarray):
    values = logits(OnnxRuntime(folder / "stock", TASK, LIMIT, 8, folder / f"{name}.onnx", 1), TEXTS)
    assert 0 < np.abs(values - expected).mean() < 0.15 * expected.std()


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="no OpenVINO")
def test_openvino_runs_the_traced_graph(folder: Path, expected: np.ndarray):
    graph = folder / "stock", TASK, LIMIT, 4, folder / "traced.onnx"
    alone = OpenVino(*graph, 1, **F32)
    np.testing.assert_allclose(logits(alone, TEXTS), expected, atol=1e-2 * expected.std())
    for requests, options in ((0, {"PERFORMANCE_HINT": "THROUGHPUT"}), (3, {"NUM_STREAMS": "2"})):
        queue = OpenVinoQueue(*graph, 2, requests, **options, **F32)
        for _ in range(2):  # a queue is used again
            np.testing.assert_allclose(queue(TEXTS), expected, atol=1e-2 * expected.std())
        assert len(queue.queue) == requests or not requests


def test_copies_side_by_side_answer_in_order(folder: Path, expected: np.ndarray):
    copies = [OnnxRuntime(folder / "stock", TASK, LIMIT, 8, folder / "traced.onnx", 1) for _ in range(2)]
    both = SideBySide(copies).at(3, LIMIT)
    np.testing.assert_allclose(both(TEXTS), expected, atol=1e-4)
    np.testing.assert_allclose(in_order_of_length(both, TEXTS), expected, atol=1e-4)
    assert len(both.tokenize(TEXTS)[0]["input_ids"]) == 3 and copies[0].batch == 8
    shorter = both.at(3, 8)
    assert max(batch["input_ids"].shape[1] for batch in shorter.tokenize(TEXTS)) == 8


def test_the_pipeline_gives_the_same_labels(folder: Path, expected: np.ndarray):
    values = Pipeline(folder / "stock", TASK, LIMIT, 8).at(4, LIMIT)(TEXTS)
    assert values.shape == expected.shape and (values.argmax(axis=1) == expected.argmax(axis=1)).all()


@pytest.mark.skipif(importlib.util.find_spec("ctranslate2") is None, reason="no CTranslate2")
def test_ctranslate2_takes_the_encoder(folder: Path, expected: np.ndarray):
    """What is ours is the conversion; how far its int8 products stray depends on the CPU (on AVX2 by 0.14)."""
    assert write_ctranslate2(folder / "stock", folder / "ctranslate2")
    converted = folder / "stock", TASK, LIMIT, 8, folder / "ctranslate2", 1
    values = logits(CTranslate2(*converted, precision="float32"), TEXTS)
    assert np.abs(values - expected).mean() < 0.05 * expected.std(), "but for weights rounded to 8 bits"
    for maker in (CTranslate2, CTranslate2ByTokens):
        several = maker(*converted, precision="float32", workers=2)
        np.testing.assert_allclose(several(TEXTS), values, atol=1e-4, err_msg=maker.__name__)
    int8 = CTranslate2(*converted)
    assert int8.encoder.compute_type.startswith("int8") and np.isfinite(logits(int8, TEXTS)).all()


@pytest.mark.slow  # NNCF counts every channel
@pytest.mark.slow
def test_peers_that_do_not_know_a_family_are_left_out_with_the_reason(tmp_path: Path):
    encoder, scratch = family_artifact(tmp_path / "encoder", "mpnet"), tmp_path / "scratch"
    scratch.mkdir()
    texts = ["rain and wind", "the song of the band", "a goal"] * 10
    ours = TorchPredictor(encoder)
    peers = prepare(encoder, scratch, ours.tokenize(texts), threads=2)
    assert {"sentence-transformers fp32", "ONNX Runtime int8, fused"} <= set(peers.left_out)
    labels = logits(ours, texts[:3]).argmax(axis=1).tolist()
    ways = [way for way in peers.ways if way.peer in ("ONNX Runtime int8", "transformers pipeline")]
    assert len(ways) == 5
    for way in ways:
        assert way.made.at(3, 24)(texts[:3]).argmax(axis=1).tolist() == labels, way.name


@pytest.mark.slow
def test_all_ways_label_alike(teacher: Artifact, expected: np.ndarray, tmp_path: Path):
    rows = [np.arange(5, 5 + n) for n in range(4, 24)]
    peers: Peers = prepare(teacher, tmp_path, rows, 2)
    labels = expected.argmax(axis=1)
    works = [peers.as_they_come(), peers.by_length(), peers.one_at_a_time(), peers.long(LIMIT)]
    for work in works:
        names = [way.name for ways in work.values() for way in ways]
        assert len(set(names)) == len(names)
        assert any("2 sessions of one thread" in way.name for way in work[ONNXRUNTIME])
        assert any("AsyncInferQueue" in way.name for way in work[OPENVINO]) or OPENVINO in peers.left_out
        for way in (way for ways in work.values() for way in ways):
            assert (way.run(TEXTS) == labels).mean() > 0.8, way.name  # int8 of a random model is rough
            if "fp32" in way.name or "pipeline" in way.name:
                assert (way.run(TEXTS) == labels).all(), way.name
    alike = [runner.name for runner in peers.for_quality()]
    assert len(set(alike)) == len(alike) < len(peers.ways)
