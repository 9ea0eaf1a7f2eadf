"""Graphs that give logits for every token: packed and padded, fp32 and int8, against PyTorch."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.batching import pad
from leanformer.errors import GateError
from leanformer.export.graphs.encoder_graph import encoder_graph, expected_operators
from leanformer.export.graphs.graph import operator_counts
from leanformer.export.graphs.packed_graph import expected_packed_operators, packed_graph, padded_graph
from leanformer.export.parity import check, compare
from leanformer.export.quantise import calibrate, linear_maps, quantise
from leanformer.export.standard import write_standard_onnx
from leanformer.models.classifier import Classifier
from leanformer.models.predictor import TorchPredictor
from leanformer.models.scoring import score_rows
from leanformer.predictor import answers, logits
from leanformer.runtime.packing import Lines, pack, result_rows, unpack
from leanformer.runtime.predictor import LightPredictor
from leanformer.shapes.encoder import LayerShape
from leanformer.tagging.ragged import flat
from tests.export.graphs.test_packed_graph import LENGTHS, WAYS, rows_of, run
from tests.making.graphs import make_tagger
from tests.making.tagged import TASK, tagged_examples, tiny_tagger

STARTS = np.cumsum([0, *LENGTHS])


def torch_tokens(model: Classifier, rows: list[np.ndarray]) -> np.ndarray:
    import torch

    return score_rows(model, rows, padding_id=0, device=torch.device("cpu"), batch_tokens=40)


def run_packed(graph: object, rows: list[np.ndarray], lines: Lines, length: int | None = None) -> np.ndarray:
    values = run(graph, pack(rows, lines, length).feed(types=False, first=False))  # type: ignore[arg-type]
    result = np.empty((int(STARTS[-1]), values.shape[-1]), np.float32)
    result[result_rows(lines, STARTS)] = unpack(values, rows, lines)
    return result


def run_padded(graph: object, rows: list[np.ndarray]) -> np.ndarray:
    ids, mask = pad(rows)
    values = run(graph, {"input_ids": ids, "attention_mask": mask})  # type: ignore[arg-type]
    return np.concatenate([value[: len(row)] for value, row in zip(values, rows, strict=True)])


@pytest.mark.parametrize(
    "layers", [(LayerShape(4, 48),) * 2, (LayerShape(3, 20), LayerShape(1, 7)), (LayerShape(2, 9),)]
)
def test_every_token_has_the_logits_of_the_model(layers: tuple[LayerShape, ...]) -> None:
    model, rows = tiny_tagger(layers=layers), rows_of()
    expected, graph = torch_tokens(model, rows), packed_graph(model)
    assert expected.shape == (sum(LENGTHS), len(TASK.labels)) and expected.std() > 0.05
    for lines in WAYS:
        np.testing.assert_allclose(run_packed(graph, rows, lines), expected, atol=1e-4, rtol=0)
        np.testing.assert_allclose(run_packed(graph, rows, lines, 64), expected, atol=1e-4, rtol=0)
    np.testing.assert_allclose(run_padded(padded_graph(graph), rows), expected, atol=1e-4, rtol=0)
    np.testing.assert_allclose(run_padded(encoder_graph(model), rows), expected, atol=1e-4, rtol=0)
    assert operator_counts(graph) == expected_packed_operators(model.config)
    assert operator_counts(encoder_graph(model)) == expected_operators(model.config)
    assert operator_counts(padded_graph(graph)) == operator_counts(encoder_graph(model))


def test_int8_stays_near_and_goes_the_way_to_the_padded_graph() -> None:
    model, rows = tiny_tagger(), rows_of()
    graph, expected = packed_graph(model), torch_tokens(model, rows)
    feeds = [pack(rows, lines).feed(types=False, first=False) for lines in WAYS]
    int8 = quantise(graph, calibrate(graph, feeds))
    assert not list(linear_maps(int8))
    for found in (run_packed(int8, rows, WAYS[2]), run_padded(padded_graph(int8), rows)):
        assert 0 < np.abs(found - expected).mean() < 0.15 * expected.std()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact, Artifact]:
    """A tagger, its graph, and its int8 graph."""
    return make_tagger(tmp_path_factory.mktemp("exported"))


EXAMPLES = tagged_examples(40, 9)
LONG = " ".join(EXAMPLES.texts)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_runtime_gives_the_words_of_pytorch(
    exported: tuple[Artifact, Artifact, Artifact], engine: str, threads: int
) -> None:
    tagger, onnx, _ = exported
    texts = [*EXAMPLES.texts, LONG, "", "\u200d", "goal"]
    ours = logits(LightPredictor(onnx, threads=threads, engine=engine), texts)
    theirs = logits(TorchPredictor(tagger), texts)
    assert [len(logit) for logit in ours] == [len(text.split(" ")) if text else 0 for text in texts]
    np.testing.assert_allclose(flat(ours), flat(theirs), atol=1e-4, rtol=0)


def test_alone_and_in_company(exported: tuple[Artifact, Artifact, Artifact]) -> None:
    for artifact in exported[1:]:
        exact = LightPredictor(artifact, threads=2, exact=True)
        alone = [exact.infer(exact.tokenize([text])) for text in EXAMPLES.texts]
        together = exact.infer(exact.tokenize(EXAMPLES.texts))
        np.testing.assert_array_equal(together, np.concatenate(alone))
    packs = LightPredictor(exported[1], threads=1, pack_tokens=64)
    np.testing.assert_allclose(
        packs.infer(packs.tokenize(EXAMPLES.texts)), np.concatenate([values for values in alone]), atol=0.5
    )


def test_a_padded_graph_is_run_too(exported: tuple[Artifact, Artifact, Artifact], tmp_path: Path) -> None:
    from leanformer.artifact import write_manifest

    _, onnx, _ = exported
    shutil.copytree(onnx.path, tmp_path / "copy")
    (tmp_path / "copy" / "model.onnx").unlink()
    write_standard_onnx(onnx, tmp_path / "copy" / "model.onnx")
    padded = LightPredictor(
        write_manifest(tmp_path / "copy", format="onnx", task=onnx.task, max_tokens=16, properties=onnx.properties),
        threads=1, pack_tokens=120,
    )  # fmt: skip
    ours, theirs = (logits(predictor, EXAMPLES.texts) for predictor in (padded, LightPredictor(onnx, threads=1)))
    np.testing.assert_allclose(flat(ours), flat(theirs), atol=1e-5, rtol=0)


def test_a_standard_file_of_an_encoder(exported: tuple[Artifact, Artifact, Artifact], tmp_path: Path) -> None:
    write_standard_onnx(exported[0], tmp_path / "model.onnx")
    import onnx as library

    rows = rows_of((3, 9, 5))
    found = run_padded(library.load(tmp_path / "model.onnx"), rows)
    np.testing.assert_allclose(found, torch_tokens(tiny_tagger(), rows), atol=1e-4, rtol=0)


def test_the_gate_counts_words(exported: tuple[Artifact, Artifact, Artifact]) -> None:
    reference = logits(LightPredictor(exported[1], threads=1), EXAMPLES.texts)
    same = compare(reference, reference, TASK)
    assert same.max_difference == same.flips == 0 and same.n == len(EXAMPLES)
    changed = reference.copy()
    changed[0] = np.roll(changed[0], 2, axis=1)
    parity = compare(changed, reference, TASK)
    words = sum(len(logit) for logit in reference)
    assert 0 < parity.flips <= len(reference[0]) / words
    with pytest.raises(GateError, match="of labels changed"):
        check(parity, step="here", max_difference=None, mean_share=None, flips=0.0)
    history = exported[2].history[-1]
    assert history["parity"]["n"] == 60 and json.dumps(history)


def test_answers_have_places_in_the_text_as_it_was_given(exported: tuple[Artifact, Artifact, Artifact]) -> None:
    predictor = LightPredictor(exported[1], threads=1)
    texts = ["  the  goal, was\tit! ", "no\u00a0ball", *(f"« {text}»" for text in EXAMPLES.texts)]
    found = predictor.predict(texts)
    for text, prediction in zip(texts, found, strict=True):
        assert prediction.spans is not None and prediction.tags is not None and prediction.words is not None
        assert len(prediction.tags) == len(prediction.words)
        for span in prediction.spans:
            assert text[span.start : span.end] == span.text and 0 < span.probability <= 1
    assert any(prediction.spans for prediction in found)
    assert found[0].words == ("the", "goal", ",", "was", "it", "!")
    words = predictor.predict([["the", "goal", ",", "was", "it", "!"]])[0]
    assert words.tags == found[0].tags and replace(words, spans=None).words == found[0].words
    assert answers(TorchPredictor(exported[0]), texts)[0].tags == found[0].tags
