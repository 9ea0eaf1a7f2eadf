"""The demo's settings fit the recipe and the sample that they are for. Running it is benchmarks/resilience/demo.py."""

from __future__ import annotations

from leanformer.cli import demo
from leanformer.compress.distil.distil import Distil
from leanformer.data.sample.sample import EASY, generate_sample
from leanformer.recipe.library import find_recipe
from leanformer.train.settings import FitSettings


def test_the_settings_are_taken() -> None:
    data = generate_sample(**demo._ROWS, difficulty=EASY)
    assert data.train is not None and data.dev is not None and data.test is not None and data.unlabelled is not None
    assert FitSettings(**demo._TEACHER).epochs < 5
    (student,) = (
        entry.step for entry in find_recipe("distil").with_options(demo._STUDENT).steps if entry.name == "student"
    )
    assert isinstance(student, Distil) and student.trial_texts == 0
