"""Searches as they are written: holes with their values, goals with their bounds, and what is wrong with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from leanformer.errors import RecipeError
from leanformer.recipe.library import find_recipe, recipe_names, recipe_path
from leanformer.search.space.halving import Halving
from leanformer.search.space.holes import Choose, Range
from leanformer.search.space.read import find_space, read_space
from tests.making.searches import space_of, write_space

GOOD = """\
name: good
about: everything that can be written
goals:
  maximise: quality
  minimise: [latency_ms_p95, bytes]
  max_drop: 1.0
  max_bytes: 50e6
halving: {over: data, least: 0.1, factor: 3}
runtime:
  engine: {choose: [onnxruntime, native]}
steps:
  - step: compress.distil
    name: student
    layers: {choose: [2, [1, 3], null]}
    learning_rate: {range: [1e-5, 1e-3], log: true}
    epochs: {range: [1, 3]}
  - name: pruning
    choose:
      - null
      - step: compress.prune
        keep: {range: [0.4, 0.8], step: 0.1}
      - - step: compress.prune_post_training
          keep: 0.5
        - step: compress.distil
          name: again
          epochs: {choose: [1, 2]}
  - step: export.onnx
"""


def test_everything_that_can_be_written_is_read(tmp_path: Path):
    space = space_of(tmp_path, GOOD)
    named = {hole.name: hole for hole in space.holes()}
    assert list(named) == [
        "student.layers", "student.learning_rate", "student.epochs", "pruning", "compress.prune.keep", "again.epochs",
        "runtime.engine",
    ]  # fmt: skip
    layers, rate, pruning = named["student.layers"], named["student.learning_rate"], named["pruning"]
    assert isinstance(layers, Choose) and isinstance(rate, Range) and isinstance(pruning, Choose)
    assert layers.labels == (2, "[1, 3]", None) and layers.option("[1, 3]") == [1, 3]
    assert (rate.low, rate.high, rate.log, rate.integer) == (1e-5, 1e-3, True, False)
    assert named["student.epochs"] == Range("student.epochs", 1, 3, True, where=f"{tmp_path}/space.yaml, line 16")
    assert pruning.labels == (None, "compress.prune", "compress.prune_post_training + compress.distil")
    assert space.goals.names == ("quality", "latency_ms_p95", "bytes")
    assert space.goals.maximised == (True, False, False)
    assert [(bound.name, bound.value, bound.upper) for bound in space.goals.bounds] == [
        ("max_drop", 1.0, True), ("max_bytes", 50e6, True),
    ]  # fmt: skip
    assert space.halving == Halving("data", 0.1, 3)


def test_a_filling_is_a_recipe_without_holes(tmp_path: Path):
    space = space_of(tmp_path, GOOD)
    params = {"student.layers": "[1, 3]", "student.learning_rate": 1.23456e-4, "student.epochs": 2, "pruning": None,
              "runtime.engine": "native"}  # fmt: skip
    filled = space.of(params)
    student, graph = filled.recipe.to_json()["steps"]
    assert (student["layers"], student["learning_rate"], student["epochs"]) == ([1, 3], 1.235e-4, 2)
    assert (graph["step"], graph["rung"], student["rung"]) == ("export.onnx", "result", None)
    assert filled.runtime == {"engine": "native"} and filled.params == params
    other = space.of(params | {"pruning": "compress.prune_post_training + compress.distil", "again.epochs": 2})
    assert [step.technique for step in other.recipe.steps] == [
        "compress.distil", "compress.prune_post_training", "compress.distil", "export.onnx",
    ]  # fmt: skip
    with pytest.raises(RecipeError, match=r"says nothing of 'compress\.prune\.keep'"):
        space.of(params | {"pruning": "compress.prune"})


def test_the_first_trial_takes_the_defaults_where_it_can(tmp_path: Path):
    # Three layers are not among the choices; the default rate and number of epochs lie in their ranges.
    start = space_of(tmp_path, GOOD).start()
    assert start["student.layers"] == 2 and start["student.learning_rate"] == 1e-4 and start["student.epochs"] == 3


def test_a_grid_is_every_combination_once_holes_of_other_branches_left_out(tmp_path: Path):
    grid = list(space_of(tmp_path, GOOD).grid())
    # layers x rates x epochs x engines x (none, five shares, two numbers of epochs)
    assert len(grid) == 3 * 4 * 3 * 2 * (1 + 5 + 2)
    assert len({yaml.safe_dump(point) for point in grid}) == len(grid)
    assert all(("compress.prune.keep" in point) == (point["pruning"] == "compress.prune") for point in grid)
    assert {point["compress.prune.keep"] for point in grid if point["pruning"] == "compress.prune"} == {
        0.4, 0.5, 0.6, 0.7, 0.8,
    }  # fmt: skip


@pytest.mark.parametrize("name", recipe_names(searches=True))
def test_a_shipped_search_parses_and_is_no_recipe(name: str):
    space = find_space(name)
    assert space.name == name and len(space.about) > 40
    with pytest.raises(RecipeError, match=f"leanformer search {name}"):
        find_recipe(recipe_path(name, searches=True))
    assert name not in recipe_names()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("about: every", "abuot: every", "line 2: unknown key 'abuot'"),
        ("maximise: quality", "maximise: beauty", "line 3: no figure is called 'beauty'"),
        ("maximise: quality", "minimise: quality", "line 5: the key 'minimise' is given twice"),
        ("maximise: quality", "maximise: bytes", "line 3: the goal 'bytes' is given twice"),
        ("maximise: quality", "maximize: quality", "line 3: `goals:` has no 'maximize'"),
        ("max_drop: 1.0", "max_drop: little", "line 3: the bound max_drop is a number, not 'little'"),
        ("max_drop: 1.0", "max_speed: 1.0", "line 3: no figure is called 'speed'"),
        ("over: data", "over: time", "line 8: halving is over epochs or data, not 'time'"),
        ("least: 0.1", "least: 2.0", "line 8: halving: least is a share"),
        ("least: 0.1", "lest: 0.1", "line 8: `halving:` is a mapping with over, least, factor"),
        ("factor: 3", "factor: 1.5", "line 8: halving.factor is int, not 1.5"),
        ("[onnxruntime, native]", "[onnxruntime, steam]", "line 10: runtime.engine is one of onnxruntime"),
        ("  engine:", "  motor:", "line 9: `runtime:` has no 'motor'"),
        ("[2, [1, 3], null]", "[2]", "line 14: `choose:` is a list of two values or more"),
        ("[2, [1, 3], null]", "[2, 2]", "line 14: `choose:` names 2 twice"),
        ("[2, [1, 3], null]", "[2, three]", "line 14: student.layers: compress.distil.layers is int"),
        ("[2, [1, 3], null]", "[2, 0]", "line 14: student.layers: compress.distil: layers must be at least 1"),
        ("[2, [1, 3], null]", "[2, {range: [1, 2]}]", "line 14: a hole within a hole"),
        ("{choose: [2, [1, 3], null]}", "[{choose: [1, 2]}, 3]", "line 14: `choose:` and `range:` stand for a whole"),
        ("[1e-5, 1e-3]", "[1e-3, 1e-5]", "line 15: the range 0.001 to 1e-05 holds nothing"),
        ("[1e-5, 1e-3]", "[0, 1e-3]", "line 15: a logarithmic range begins above 0"),
        ("[1e-5, 1e-3], log: true", "[-1, 1]", "line 12: compress.distil: learning_rate must be above 0"),
        ("[1e-5, 1e-3]", "[fast, slow]", "line 15: 'fast' is not a number"),
        ("log: true", "lgo: true", "line 15: `range:` takes log, step beside it, not 'lgo'"),
        ("step: 0.1}", "step: 0.3}", "line 21: the range 0.4 to 0.8 is not a number of steps of 0.3"),
        ("    name: student", "    nmae: student", "line 12: compress.distil has no option 'nmae'"),
        ("step: export.onnx", "step: export.onyx", "unknown technique 'export.onyx'"),
        ("step: export.onnx", "step: export.onnx\n    uses: again", "line 17: with pruning=None: recipe good: step"),
        ("          name: again\n", "          name: student\n", "recipe good: two artifacts are called 'student'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, said: str, tmp_path: Path):
    assert GOOD.count(old) == 1, old
    with pytest.raises(RecipeError) as caught:
        read_space(write_space(tmp_path, GOOD.replace(old, new)))
    assert said in str(caught.value)
    assert str(tmp_path / "space.yaml") in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: []", "a search is a mapping with `goals:` and a list `steps:`"),
        ("steps: [{step: export.onnx}]", "a search needs `goals:`"),
        ("goals: {maximise: quality}\nsteps: [{step: export.onnx}]", "nothing is left open"),
        ("goals: {max_bytes: 1}\nsteps: [{step: export.onnx}]", "nothing to maximise or minimise"),
        ("goals: {maximise: quality}\nsteps: [{stop: export.onnx}]", "line 2: a step is a mapping"),
    ],
)
def test_what_is_no_search_is_refused(text: str, said: str, tmp_path: Path):
    with pytest.raises(RecipeError) as caught:
        read_space(write_space(tmp_path, text))
    assert said in str(caught.value)


def test_an_unknown_name_lists_the_shipped_searches():
    with pytest.raises(RecipeError, match=r"no shipped search is called 'leen'.*\n.*lean"):
        find_space("leen")


def test_steps_of_two_branches_may_be_called_alike(tmp_path: Path):
    text = """\
goals: {maximise: quality}
steps:
  - choose:
      - {step: compress.prune, name: pruned, keep: {range: [0.4, 0.8]}}
      - {step: compress.prune_post_training, name: pruned, keep: {range: [0.5, 0.9]}}
  - {step: export.onnx, uses: pruned}
"""
    names = [hole.name for hole in space_of(tmp_path, text).holes()]
    assert names == ["step1", "pruned.keep", "pruned.keep of compress.prune_post_training"]


def test_a_search_that_begins_with_an_encoder_is_refused(tmp_path: Path):
    path = tmp_path / "space.yaml"
    path.write_text(
        "goals: {maximise: quality, minimise: bytes}\nsteps:\n"
        "- {step: train.fine_tune, name: teacher, epochs: {choose: [1, 2]}}\n- {step: export.onnx}\n"
    )
    with pytest.raises(RecipeError, match="this one makes its teacher of an encoder"):
        read_space(path)
