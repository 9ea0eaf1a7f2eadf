"""The PyTorch predictor: the same logits however rows are batched and padded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from leanformer.answers.forms import to_predictions
from leanformer.artifact import Artifact, write_manifest
from leanformer.errors import ArtifactError
from leanformer.models.predictor import TorchPredictor
from leanformer.models.scoring import score_rows
from leanformer.models.store import read_model
from leanformer.predictor import Predictor, logits
from tests.making.tiny import TASK, VOCABULARY, tiny_artifact, tiny_config, tiny_dataset, tiny_tokenizer

TEXTS = tiny_dataset().test.texts  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    config = tiny_config(positions=128, padding_id=4)
    return tiny_artifact(tmp_path_factory.mktemp("predictor") / "a", config=config, max_tokens=128)


def test_it_is_a_predictor(artifact: Artifact) -> None:
    predictor = TorchPredictor(artifact)
    assert isinstance(predictor, Predictor)
    assert predictor.task == TASK
    rows = predictor.tokenize(["The band!", ""])
    assert [[VOCABULARY[i] for i in row] for row in rows] == [
        ["[CLS]", "the", "band", "!", "[SEP]"],
        ["[CLS]", "[SEP]"],
    ]
    assert logits(predictor, []).shape == (0, 3)


def test_the_logits_are_the_models(artifact: Artifact) -> None:
    predictor, model = TorchPredictor(artifact), read_model(artifact)
    rows = predictor.tokenize(TEXTS)
    with torch.no_grad():
        expected = [model(torch.tensor(row)[None].long(), torch.ones(1, len(row)))[0].numpy() for row in rows]
    scores = predictor.infer(rows)
    assert scores.dtype == np.float32
    assert np.allclose(scores, np.stack(expected), atol=1e-5)
    assert len({len(row) for row in rows}) > 5
    assert scores.std(axis=0).min() > 0.05  # texts differ, so that rows in another order would show


@pytest.mark.parametrize("options", [{"pad_to": 128}, {"batch_tokens": None}, {"batch_tokens": 64}, {"pad_to": 40}])
def test_batching_and_padding_change_nothing(options: dict[str, int | None], artifact: Artifact) -> None:
    expected = logits(TorchPredictor(artifact), TEXTS)
    assert np.allclose(logits(TorchPredictor(artifact, **options), TEXTS), expected, atol=1e-5)


def test_predictions_name_the_largest_logit(artifact: Artifact) -> None:
    scores = logits(TorchPredictor(artifact), TEXTS)
    for row, prediction in zip(scores, to_predictions(scores, TASK), strict=True):
        assert prediction.label == TASK.labels[int(row.argmax())]
        assert sum(prediction.probabilities.values()) == pytest.approx(1)
        assert max(prediction.probabilities, key=prediction.probabilities.__getitem__) == prediction.label


def test_long_texts_are_truncated(tmp_path: Path) -> None:
    predictor = TorchPredictor(tiny_artifact(tmp_path / "a", max_tokens=10))
    [row] = predictor.tokenize(["rain " * 500])
    assert len(row) == 10
    assert np.isfinite(predictor.infer([row])).all()


class Recorder(nn.Module):
    """Answers with each row's number of real tokens and remembers the shapes it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, int]] = []

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        self.shapes.append((ids.shape[0], ids.shape[1]))
        return torch.stack([mask.sum(dim=1), ids[:, 0]], dim=1).float()


@pytest.mark.parametrize(("budget", "pad_to"), [(50, None), (50, 20), (7, None), (19, 20), (None, None), (None, 20)])
def test_rows_keep_their_order_and_batches_their_budget(budget: int | None, pad_to: int | None) -> None:
    generator = np.random.default_rng(1)
    rows = [np.full(length, index, dtype=np.int32) for index, length in enumerate(generator.integers(1, 20, size=60))]
    model = Recorder()
    scores = score_rows(model, rows, padding_id=0, device=torch.device("cpu"), batch_tokens=budget, pad_to=pad_to)
    assert scores.tolist() == [[len(row), index] for index, row in enumerate(rows)]
    assert sum(count for count, _ in model.shapes) == 60
    assert all(count == 1 or (budget is not None and count * width <= budget) for count, width in model.shapes)
    assert pad_to is None or {width for _, width in model.shapes} == {pad_to}
    if budget == 50:
        assert max(count for count, _ in model.shapes) > 1


def test_a_row_longer_than_the_padding(artifact: Artifact) -> None:
    """It keeps its own length: the padding is a floor, not a cut."""
    rows = [np.arange(1, 10), np.arange(1, 3)]
    whole = TorchPredictor(artifact).infer(rows)
    np.testing.assert_allclose(TorchPredictor(artifact, pad_to=4).infer(rows), whole, atol=1e-5, rtol=0)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    tiny_tokenizer(tmp_path)
    artifact = write_manifest(tmp_path, format="onnx", task=TASK, max_tokens=8)
    with pytest.raises(ArtifactError, match="'onnx' is not run by PyTorch"):
        TorchPredictor(artifact)
