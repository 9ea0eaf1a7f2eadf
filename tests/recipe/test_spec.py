"""Recipes as they are written: read strictly, with file and line for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.compress.distil.distil import Distil
from leanformer.errors import RecipeError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.recipe.library import find_recipe, recipe_names
from leanformer.recipe.spec import Recipe, RecipeStep, build, read_recipe

GOOD = """\
name: mine
about: two steps
steps:
  - step: export.onnx
    name: graph
    uses: teacher
    rung: fp32
  - step: compress.distil
    name: student
    uses: teacher
    layers: [1, 3]
    learning_rate: 1e-4
    hidden_map: [[0, 0], [2, 3]]
  - step: export.onnx
    name: small
    rung: small
    after: graph
  - step: export.int8
    method: static
    rung: int8
"""


def write(folder: Path, text: str) -> Path:
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    return folder / "recipe.yaml"


def message(folder: Path, text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(write(folder, text))
    assert str(folder / "recipe.yaml") in str(caught.value)
    return str(caught.value)


def test_yaml_and_python_say_the_same(tmp_path: Path):
    student = Distil(layers=(1, 3), learning_rate=1e-4, hidden_map=((0, 0), (2, 3)))
    built = Recipe(
        "mine",
        (
            RecipeStep("export.onnx", Onnx(), "graph", uses="teacher", rung="fp32"),
            RecipeStep("compress.distil", student, "student", uses="teacher"),
            RecipeStep("export.onnx", Onnx(), "small", rung="small", after="graph"),
            RecipeStep("export.int8", Int8(method="static"), "export.int8", rung="int8"),
        ),
        about="two steps",
    )
    read = read_recipe(write(tmp_path, GOOD))
    assert read == built
    assert read.to_json() == built.to_json()
    assert json.loads(json.dumps(read.to_json())) == read.to_json()
    assert read.to_json()["steps"][1]["layers"] == [1, 3]


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_parses(name: str):
    recipe = find_recipe(name)
    assert recipe.name == name
    assert len(recipe.about) > 40
    assert any(step.rung for step in recipe.steps)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("about: two steps", "abuot: two steps", "unknown key 'abuot'; a recipe has name, about, steps and family"),
        ("about: two steps", "1: two\nx: y", "unknown key 1"),
        ("layers: [1, 3]", "layer: 3", "line 8: compress.distil has no option 'layer'"),
        (
            "layers: [1, 3]",
            "layers: three",
            "line 8: compress.distil.layers is int | tuple[int, ...] | None, not 'three'",
        ),
        ("layers: [1, 3]", "layers: [1, two]", "line 8: compress.distil.layers is int | tuple[int, ...]"),
        ("layers: [1, 3]", "layers: true", "line 8: compress.distil.layers"),
        ("layers: [1, 3]", "layers: 2.5", "line 8: compress.distil.layers"),
        ("layers: [1, 3]", "layers: 0", "line 8: compress.distil: layers must be at least 1"),
        ("learning_rate: 1e-4", "learning_rate: null", "line 8: compress.distil.learning_rate is float"),
        ("[[0, 0], [2, 3]]", "[[0, 0], [2]]", "line 8: compress.distil.hidden_map"),
        ("learning_rate: 1e-4", "learning_rate: fast", "line 8: compress.distil.learning_rate is float"),
        ("learning_rate: 1e-4", "learning_rate: .nan", "line 8: compress.distil.learning_rate is float"),
        ("learning_rate: 1e-4", "hard: .inf", "line 8: compress.distil.hard is float"),
        ("learning_rate: 1e-4", "use_unlabelled: 1", "line 8: compress.distil.use_unlabelled is bool"),
        ("step: export.int8", "step: export.int4", "line 18: unknown technique 'export.int4'; one of compress.bilstm"),
        (
            "method: static",
            "method: sideways",
            "line 18: export.int8: method is one of mixed, per_token, static, dynamic, not 'sideways'",
        ),
        ("step: export.int8", "stop: export.int8", "line 18: a step is a mapping with `step: TECHNIQUE`"),
        ("step: export.int8", "step: [export.int8]", "line 18: a step is a mapping with `step: TECHNIQUE`"),
        ("    rung: int8", "    rung: 8", "line 18: `rung:` must be text, not 8"),
        ("after: graph", "after: grahp", "step 'small' after 'grahp', which is no step before it; there are graph"),
        ("after: graph", "after: small", "step 'small' after 'small', which is no step before it"),
        ("after: graph", "after: student", "step 'small' after 'student', which has no `rung:`"),
        ("uses: teacher\n    layers", "uses: small\n    layers", "step 'student' uses 'small', which is no step"),
        ("name: small", "name: graph", "two artifacts are called 'graph'"),
        ("name: small", "name: teacher", "two artifacts are called 'teacher'"),
        ("name: small", "name: ../small", "'../small' is no name"),
        ("name: small", "name: ''", "'' is no name"),
        ("rung: small", "rung: fp32", "the rung 'fp32' is blank or taken"),
        ("rung: small", "rung: ' '", "the rung ' ' is blank or taken"),
        ("method: static", "method: static\n    method: dynamic", "line 20: the key 'method' is given twice"),
        ("name: mine", "name: mine\nsteps: []", "line 4: the key 'steps' is given twice"),
        ("name: mine", "name: [mine", "not valid YAML"),
        ("name: mine", "name: !!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, said: str, tmp_path: Path):
    assert GOOD.count(old) == 1
    assert said in message(tmp_path, GOOD.replace(old, new))


def test_an_unknown_option_lists_the_options(tmp_path: Path):
    text = message(tmp_path, "steps:\n- step: export.onnx\n  gate: 3\n  rung: a\n")
    assert "line 2: export.onnx has no option 'gate'" in text
    assert "gate_texts, max_difference, max_flips" in text


@pytest.mark.parametrize(
    "text",
    ["", "[]", "text", "steps:", "steps: {}", "steps: []", "name: x", "steps: text", "steps: [text]", "steps: [null]"],
)
def test_what_is_no_recipe_is_refused(text: str, tmp_path: Path):
    assert "a recipe is a mapping" in message(tmp_path, text) or "a step is a mapping" in message(tmp_path, text)


def test_a_recipe_without_rungs_is_refused(tmp_path: Path):
    assert "no step has a `rung:`" in message(tmp_path, "steps: [{step: export.onnx}]")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    (tmp_path / "recipe.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "recipe.yaml")
    (tmp_path / "recipe.yaml").write_bytes(b"name: a\x00b\n")
    with pytest.raises(RecipeError, match="not valid YAML"):
        read_recipe(tmp_path / "recipe.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        find_recipe(tmp_path / "nothing.yaml")


def test_a_name_that_is_neither_lists_the_shipped_ones():
    with pytest.raises(RecipeError, match="quick"):
        find_recipe("no-such-recipe")


def test_options_can_be_changed(tmp_path: Path):
    recipe = read_recipe(write(tmp_path, GOOD))
    changed = recipe.with_options({"student.epochs": 7, "export.int8.max_flips": 0.5, "student.layers": [2]})
    student, int8 = changed.steps[1].step, changed.steps[3].step
    assert isinstance(student, Distil) and isinstance(int8, Int8)
    assert (student.epochs, student.layers, student.learning_rate) == (7, (2,), 1e-4)
    assert (int8.max_flips, int8.method) == (0.5, "static")
    assert recipe == read_recipe(write(tmp_path, GOOD)), "the recipe itself is not changed"
    assert changed.steps[0] is recipe.steps[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pupil.epochs": 1}, "has no step 'pupil'; there are graph, student, small, export.int8"),
        ({"epochs": 1}, "has no step ''"),
        ({"student.epoch": 1}, "compress.distil has no option 'epoch'"),
        ({"student.epochs": "many"}, "compress.distil.epochs is int, not 'many'"),
        ({"student.epochs": 0}, "epochs must be at least 1"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(changes: dict[str, Any], said: str, tmp_path: Path):
    with pytest.raises(RecipeError) as caught:
        read_recipe(write(tmp_path, GOOD)).with_options(changes)
    assert said in str(caught.value)


@pytest.mark.parametrize(("written", "value"), [("1e-4", 1e-4), ("2.5E+2", 250.0), (3, 3), (0.1, 0.1)])
def test_numbers_as_people_write_them(written: Any, value: float):
    step = build("compress.distil", {"learning_rate": written}, "here")
    assert isinstance(step, Distil)
    assert step.learning_rate == value
