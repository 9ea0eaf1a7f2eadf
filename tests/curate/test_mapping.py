"""A data map of a real, tiny training: planted wrong labels are its hardest rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from leanformer.artifact import open_artifact
from leanformer.curate import mapping
from leanformer.curate.curation import find
from leanformer.curate.data_map import HARD, DataMap
from leanformer.curate.label_models import LabelModels
from leanformer.curate.mapping import can_map, data_map, layer_states, with_map
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, LeanformerError
from leanformer.models.store import read_model
from tests.making.tiny import TASK, tiny_artifact, tiny_kind_dataset, tiny_texts

WRONG = tuple(range(5, 240, 20))


def planted() -> Dataset:
    texts, labels = tiny_texts(240, 5)
    wrong = tuple((label + 1) % 3 if row in WRONG else label for row, label in enumerate(labels))
    return Dataset(TASK, train=Examples(TASK, texts, wrong, source="train"), name="planted")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DataMap:
    torch.set_num_threads(1)
    encoder, data = tiny_artifact(tmp_path_factory.mktemp("encoder") / "tiny"), planted()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mapping, "FitSettings", lambda **given: replace(_Settings(**given), learning_rate=2e-3))
        return data_map(data, str(encoder.path), find(data).clusters, say=lambda line: None)


_Settings = mapping.FitSettings


def test_wrong_labels_are_the_hardest_rows(made: DataMap) -> None:
    assert set(made.measures) == set(HARD) and made.epochs == 6 and made.encoder == "tiny"
    assert len(set(made.hardest[: len(WRONG)].tolist()) & set(WRONG)) >= 10
    for name in ("confidence", "correctness", "error", "information"):
        hardest = np.argsort(-made.hardness[name], kind="stable")[:24]
        assert len(set(hardest.tolist()) & set(WRONG)) >= 8, name


def test_measures_are_in_their_ranges(made: DataMap) -> None:
    measures = made.measures
    assert (measures["confidence"] >= 0).all() and (measures["confidence"] <= 1).all()
    assert (measures["variability"] <= 0.5).all() and measures["variability"].max() > 0.05
    assert set(np.unique(measures["correctness"] * 6).round()) <= set(range(7))
    assert measures["depth"].max() <= 2  # two layers
    assert made.agreement["confidence"]["error"] > 0.9


def test_the_report_has_the_rows_to_read_first(made: DataMap) -> None:
    data = planted()
    found = with_map(find(data), data, made)
    assert found.map is made and len(found.hardest) == len(found.ambiguous) == 10
    assert sum(place.row in WRONG for place in found.hardest) >= 8


def test_states_are_means_of_every_layer(tmp_path: Path) -> None:
    model = read_model(open_artifact(tiny_artifact(tmp_path / "tiny").path)).eval()
    rows = [np.array([2, 5, 6, 3]), np.array([2, 7, 3])]
    states = layer_states(model, rows, 0, torch.device("cpu"))
    assert [layer.shape for layer in states] == [(2, model.config.hidden)] * 3
    with torch.inference_mode():
        ids = torch.from_numpy(rows[1])[None]
        hidden = model.encoder(ids, torch.ones_like(ids, dtype=torch.bool), None).hidden_states
    for ours, theirs in zip(states, hidden, strict=True):
        np.testing.assert_allclose(ours[1], theirs[0].mean(dim=0), atol=1e-5)


def test_a_label_of_a_single_row_tells_nothing_and_changes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, labels = tiny_texts(60, 5)
    task = replace(TASK, labels=(*TASK.labels, "lonely"))
    without = Examples(task, texts, labels, source="train")
    train = Examples(task, (*texts, "only one of it"), (*labels, 3), source="train")
    alone, found = mapping._information(without, (), 13), mapping._information(train, (), 13)
    assert found[-1] == 0
    assert alone.min() > 1.5 and found[:-1].min() > 1.5  # nearly log2(3)
    # Nor of one that is elsewhere, but among the rows that models are not trained on.
    twice = Examples(task, (*texts, "only one of it", "another"), (*labels, 3, 3), source="train")
    assert (mapping._information(twice, (), 13)[-2:] != 0).any()
    drawn = np.arange(62) < 60
    monkeypatch.setattr(LabelModels, "drawn", property(lambda models: drawn))
    assert (mapping._information(twice, (), 13)[-2:] == 0).all()


def test_labels_that_are_no_single_class_are_not_mapped(tmp_path: Path) -> None:
    data = tiny_kind_dataset("multilabel", (20, 5, 5, 5))
    assert can_map(TASK) and not can_map(data.task)
    with pytest.raises(LeanformerError, match="labels"):
        data_map(data, "encoder", (), say=lambda line: None)


def test_too_few_epochs_and_a_single_label_are_refused() -> None:
    with pytest.raises(LeanformerError, match="--map-epochs 2"):
        data_map(planted(), "encoder", (), epochs=2, say=lambda line: None)
    data = planted()
    assert data.train is not None
    alike = replace(data, train=replace(data.train, labels=(1,) * 240))
    with pytest.raises(DataError, match="one label only"):
        data_map(alike, "encoder", (), say=lambda line: None)
