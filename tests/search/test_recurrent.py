"""The shipped search for a recurrent student's widths, made tiny: measured latencies, within a bound on the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from leanformer.measure.speed import SpeedSettings
from leanformer.recipe.library import find_recipe, recipe_path
from leanformer.search.run import search
from leanformer.search.study.budget import SearchBudget
from tests.making.searches import space_of
from tests.making.tagged import tagged_dataset, tagger_artifact

QUICK = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)


def tiny(max_drop: float) -> str:
    """The shipped search with widths, epochs and bounds for a tiny task; the rest is as it ships."""
    document: dict[str, Any] = yaml.safe_load(recipe_path("xtremedistil-sizes", searches=True).read_text())
    student, _, precision = document["steps"]
    assert {"embedding", "units"} <= {key for key, value in student.items() if isinstance(value, dict)}
    assert "latency" in document["goals"]["minimise"]
    student |= {"embedding": {"choose": [8, 4]}, "units": {"choose": [8, 12]}, "epochs": 3, "learning_rate": 0.01}
    precision["choose"][0] |= {"max_flips": 1, "max_mean_share": 9}
    document["goals"]["max_drop"] = max_drop
    return yaml.safe_dump(document, sort_keys=False)


@pytest.mark.slow
def test_widths_are_chosen_by_measured_latency(tmp_path: Path) -> None:
    teacher = tagger_artifact(tmp_path / "teacher")
    found = search(
        space_of(tmp_path, tiny(100)), str(teacher.path), tagged_dataset(), tmp_path / "found",
        budget=SearchBudget(trials=3),
        threads=1, device="cpu", speed=QUICK, final_speed=QUICK, allow_weak_teacher=True, allow_lost_classes=True,
        say=lambda line: None,
    )  # fmt: skip
    finished = [trial for trial in found.record["trials"] if trial["state"] == "finished"]
    assert finished and found.front
    for trial in finished:
        assert trial["figures"]["latency_ms_p50"] > 0 and trial["figures"]["parameters"] > 0
        assert {"student.embedding", "student.units", "precision"} <= set(trial["params"])
    for number, artifact in found.front.items():
        assert artifact.format == "onnx" and artifact.history[-1]["step"].startswith("export.")
        recipe = find_recipe(tmp_path / "found" / "front" / f"trial-{number:03}" / "recipe.yaml")
        assert recipe.to_json()["steps"][0]["units"] == found.record["trials"][number]["params"]["student.units"]
