"""Ladders of other encoders than MiniLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ladders.run import BASE_TEACHERS, TEACHERS, encoder_folder, work_of
from benchmarks.paths import RECIPES, WORK
from leanformer.recipe.library import find_recipe


def test_an_encoder_is_a_folder_of_a_named_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LEANFORMER_ENCODERS", raising=False)
    assert encoder_folder(None) == encoder_folder("minilm") and (encoder_folder(None) / "config.json").is_file()
    with pytest.raises(SystemExit, match="set LEANFORMER_ENCODERS to a folder that holds large/"):
        encoder_folder("large")
    monkeypatch.setenv("LEANFORMER_ENCODERS", str(tmp_path))
    with pytest.raises(SystemExit, match="large/"):
        encoder_folder("large")
    (tmp_path / "large").mkdir()
    assert encoder_folder("large") == tmp_path / "large"


def test_each_encoder_works_in_a_folder_of_its_own():
    assert work_of("sst2", None) == WORK / "sst2"
    assert work_of("sst2", "mpnet") == WORK / "sst2" / "mpnet"
    assert set(BASE_TEACHERS) <= set(TEACHERS)


def test_the_recipe_of_a_base_model_has_its_control():
    steps = {step.name: step.step for step in find_recipe(RECIPES / "base.yaml").steps}
    assert str(steps["three"].start) == str(steps["alone"].start) == "minilm"  # type: ignore[attr-defined]
    assert steps["alone"].hard == 1.0 and steps["three"].hard == 0.0  # type: ignore[attr-defined]
