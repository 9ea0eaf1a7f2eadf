"""The benchmark of data maps: rankings with known figures, and a small run that is taken up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import maps as module
from benchmarks.data.maps import CONTROLS, Maps, ranked
from leanformer.curate import mapping
from leanformer.curate.data_map import HARD
from leanformer.data.examples import Examples
from tests.making.tiny import TASK, tiny_artifact, tiny_texts


def test_a_ranking_that_has_all_wrong_rows_first_is_right() -> None:
    wrong = np.arange(20) < 2
    assert ranked(np.arange(20)[::-1], wrong) == {"average_precision": 1.0, "precision": 1.0}
    last = ranked(np.arange(20), wrong)
    assert last["precision"] == 0.0 and last["average_precision"] == pytest.approx((1 / 19 + 2 / 20) / 2)


@pytest.mark.slow
def test_measures_stand_beside_their_controls_and_maps_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = mapping.FitSettings
    monkeypatch.setattr(mapping, "_LEAST_STEPS", 90)
    monkeypatch.setattr(mapping, "FitSettings", lambda **given: replace(usual(**given), learning_rate=2e-3))
    texts, labels = tiny_texts(90, 5)
    train = Examples(TASK, texts, labels, source="train")
    encoder = str(tiny_artifact(tmp_path / "encoder").path)
    row = Maps("tiny", train, encoder, tmp_path / "work", epochs=3).row([1])
    assert set(row["measures"]) == {*HARD, *CONTROLS} and row["rows"] == 90 and row["cpu_seconds"] > 0
    assert row["measures"]["confidence"]["average_precision"] > row["measures"][CONTROLS[0]]["average_precision"]
    assert row["agree_with_confidence"]["confidence"] == 1.0
    assert row["measures"]["information"]["seeds_agree"] > 0.8  # of the same texts, other folds
    # Two maps were made, and are found again.
    monkeypatch.setattr(module, "data_map", None)
    assert Maps("tiny", train, encoder, tmp_path / "work", epochs=3).row([1]) == row
