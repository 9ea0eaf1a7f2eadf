"""Which stage of a recurrent student may keep the weights it starts with, and by what its epochs are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leanformer.compress.recurrent import stages as module
from leanformer.compress.recurrent.stages import Follow, Rows, fit_stages
from leanformer.compress.recurrent.strategies import STRATEGIES
from leanformer.errors import DataError
from leanformer.models.bilstm import BiLstm
from leanformer.shapes.recurrent import BiLstmConfig
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.loop import FitResult
from leanformer.train.settings import FitSettings
from leanformer.train.teacher_outputs import TeacherOutputs

ROWS = [np.array([1, 2, 3], dtype=np.int32)] * 4
LABELS = np.array([0, -1, 1, -1])


def fits(strategy: str, folder: Path, monkeypatch: pytest.MonkeyPatch, labels: np.ndarray = LABELS) -> list[Any]:
    """The plan and the number of rows of each fit of a strategy; nothing is trained."""
    seen: list[Any] = []

    def fit(model: BiLstm, objective: object, feed: Any, plan: Any, hooks: object) -> FitResult:
        seen.append((plan, len(feed.data)))
        return FitResult((0.5,), 0, 0.0)

    monkeypatch.setattr(module, "fit_with_parts", fit)
    config = BiLstmConfig(
        vocabulary=8, embedding=4, units=4, projection=6, labels=2, padding_id=0, dropout=0.0, pooling="ends"
    )
    outputs = TeacherOutputs(
        np.zeros((4, 2), np.float32), np.full(4, 3), {1: np.zeros((12, 6), np.float16)}, {}, {}
    )  # fmt: skip
    rows = Rows(TrainingSet(ROWS, labels, 0), outputs)
    fit_stages(
        BiLstm(config), STRATEGIES[strategy], rows, rows, Follow("label", 1), FitSettings(),
        epochs=lambda stage, count: 1, figure=lambda: 0.5, work=folder, identity="", device=torch.device("cpu"),
    )  # fmt: skip
    return seen


@pytest.mark.parametrize(
    ("strategy", "keeps"),
    [
        ("D0", [False]),
        ("D2", [False]),
        # States are judged by their loss. The head that labels begin with has learnt nothing, and its figure on dev
        # is chance; what follows it has something to lose.
        ("D3.1", [True, False]),
        ("D3.2", [True, False, True, True, True]),
        ("D4.1", [True, True, True]),
        ("D4.2", [True] * 9),
    ],
)
def test_a_stage_keeps_its_start_where_that_could_be_best(
    strategy: str, keeps: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert [plan.settings.keep_start for plan, _ in fits(strategy, tmp_path, monkeypatch)] == keeps


def test_labels_are_judged_by_the_figure_and_the_rest_by_its_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plans = fits("D4.1", tmp_path, monkeypatch)
    assert [plan.score is plans[-1][0].score for plan, _ in plans] == [False, False, True]
    assert plans[-1][0].score() == 0.5
    assert plans[0][0].score() < 0, "minus a loss, so that higher is better"


def test_labels_alone_are_learnt_from_labelled_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert [rows for _, rows in fits("D4.1", tmp_path, monkeypatch)] == [4, 4, 2]
    with pytest.raises(DataError, match="no training text has one"):
        fits("D0", tmp_path, monkeypatch, labels=np.full(4, -1))
