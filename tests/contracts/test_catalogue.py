"""What every technique in the catalogue promises, whichever it is."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from leanformer import catalog
from leanformer.artifact import Artifact
from leanformer.errors import RecipeError
from leanformer.files import sha256_json
from leanformer.formats import FORMATS
from leanformer.options import defaults, options
from leanformer.recipe.spec import _STEP_KEYS, build, read_recipe
from leanformer.step import Curate, Make
from tests.contracts.own_tests import CONSTANTS, constant, constants, missing
from tests.making.exits import taught_with_exits
from tests.making.graphs import folder_bytes, make_context, make_onnx
from tests.making.native import COMPILED
from tests.making.tiny import tiny_artifact, tiny_config, tiny_dataset

NAMES = sorted(catalog.TECHNIQUES)
MAKES = [name for name in NAMES if issubclass(catalog.load(name), Make)]
CURATIONS = [name for name in NAMES if name not in MAKES]


@pytest.mark.parametrize("name", NAMES)
def test_its_own_test_file_says_what_the_contracts_need(name: str):
    lacking = [what for what in CONSTANTS if what not in constants(name)]
    assert not lacking, missing(name, lacking)


def test_what_is_missing_is_said_kindly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(catalog.TECHNIQUES, "compress.new", "leanformer.compress.new:New")
    assert missing("compress.new", ["QUICK", "BAD"]).startswith(
        "compress.new: tests/compress/test_new.py is not there; it is the place of QUICK, BAD ("
    )
    monkeypatch.setitem(catalog.TECHNIQUES, "compress.new", "leanformer.export.onnx:New")
    assert "tests/export/test_onnx.py lacks BAD" in missing("compress.new", ["BAD"])
    (tmp_path / "test_new.py").write_text("import numpy\nQUICK = {'epochs': 1}\n")
    assert constants("compress.new", tmp_path / "test_new.py") == {"QUICK": {"epochs": 1}}
    assert constants("compress.new", tmp_path / "test_old.py") == {}


@pytest.mark.parametrize("name", NAMES)
def test_defaults_change_with_the_version_alone(name: str):
    kind = catalog.load(name)
    now = f"{kind.version} {sha256_json(defaults(kind))[:12]}"
    assert constant(name, "DEFAULTS") == now, (
        f"the defaults of {name} are others than its test file says: {defaults(kind)}. Where an option that there was "
        f"has another default, raise `version`, since cache keys leave defaults out; then DEFAULTS = {now!r}"
    )


@pytest.fixture
def inputs(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Artifact]:
    """An artifact of every format that a technique here may take; for export.exits a graph that has some."""
    encoder, onnx = make_onnx(tmp_path / "inputs", config=tiny_config())
    if getattr(request.node, "callspec", None) and request.node.callspec.params.get("name") == "export.exits":
        if not COMPILED:
            pytest.skip("no C++ compiler")
        onnx = taught_with_exits(tmp_path / "exits")
    return {"encoder": encoder, "onnx": onnx}


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_complete(name: str):
    card = catalog.card(name)
    assert card.name == name == catalog.load(name).technique
    assert set(card.fields) == set(catalog.FIELDS)
    assert 10 < len(card.title) < 100
    assert all(len(text) > 8 for text in card.fields.values())
    assert [option.name for option in card.options] == [
        field_.name for field_ in dataclasses.fields(catalog.load(name))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_default_and_a_meaning(name: str):
    options_of = catalog.card(name).options
    assert [option.name for option in options_of if not option.default] == []
    assert [option.name for option in options_of if len(option.meaning) < 5] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_a_recipe_step_that_builds(name: str, tmp_path: Path):
    example = catalog.card(name).fields["Example"]
    entry = yaml.safe_load(example)
    assert entry["step"] == name
    values = {key: value for key, value in entry.items() if key not in _STEP_KEYS}
    assert isinstance(build(name, values, "example"), catalog.load(name))
    # As the method pages show it, in a whole recipe.
    rung = "" if "rung" in entry else "- {step: export.onnx, name: last, rung: last}\n"
    (tmp_path / "recipe.yaml").write_text(f"steps:\n- {example}\n{rung}", encoding="utf-8")
    assert read_recipe(tmp_path / "recipe.yaml").steps[0].technique == name


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_frozen_dataclass_of_options(name: str):
    kind = catalog.load(name)
    step = kind()
    field = dataclasses.fields(kind)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(step, field, getattr(step, field))
    assert issubclass(kind, Make | Curate)
    if issubclass(kind, Make):
        assert set(kind.consumes) <= set(FORMATS) and kind.consumes
        assert kind.produces in FORMATS
        assert isinstance(kind.reads_data, bool)
    assert kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("), "dataclass writes a docstring of its own"


@pytest.mark.parametrize("name", NAMES)
def test_options_survive_json(name: str):
    kind = catalog.load(name)
    for step in (kind(), kind(**constant(name, "QUICK"))):
        written = json.loads(json.dumps(options(step), allow_nan=False))
        assert build(name, written, "here") == step


def test_nested_options_survive_json():
    step = catalog.load("compress.distil")(layers=(1, 2), hidden_map=((0, 0), (1, 2)), attention_map=((0, 1),))
    assert build("compress.distil", json.loads(json.dumps(options(step))), "here") == step


@pytest.mark.parametrize(
    ("name", "values"), [(name, values) for name in NAMES for values in constants(name).get("BAD", ())], ids=str
)
def test_a_bad_value_is_refused(name: str, values: dict[str, Any]):
    with pytest.raises(RecipeError) as caught:
        build(name, values, "recipe x, line 3")
    assert name in str(caught.value)
    assert next(iter(values)) in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_refused(name: str):
    with pytest.raises(RecipeError, match=r"recipe x, line 3: .* has no option 'no_such_option'"):
        build(name, {"no_such_option": 1}, "recipe x, line 3")


def test_an_unknown_technique_lists_the_known_ones():
    for ask in (catalog.load, catalog.card):
        with pytest.raises(RecipeError, match=r"unknown technique 'compress.magic'; one of compress.bilstm"):
            ask("compress.magic")


def run(name: str, inputs: dict[str, Artifact], work: Path, output: Path, **changes: Any) -> Artifact:
    step = build(name, constant(name, "QUICK") | changes, "here")
    artifact = inputs[next(consume for consume in step.consumes if consume in inputs)]
    return step(artifact, make_context(work, inputs["encoder"]), output)


@pytest.mark.parametrize("name", CURATIONS)
def test_a_curation_repeats_itself_and_leaves_dev_alone(name: str, inputs: dict[str, Artifact], tmp_path: Path):
    data, context = tiny_dataset(), make_context(tmp_path, inputs["encoder"])
    step = build(name, constant(name, "QUICK"), "here")
    after = [step(data, context) for _ in range(2)]
    assert after[0].training_hash == after[1].training_hash
    assert (after[0].task, after[0].dev, after[0].test) == (data.task, data.dev, data.test)
    assert after[0].notes[: len(data.notes)] == data.notes and len(after[0].notes) > len(data.notes)
    assert tiny_dataset().content_hash == data.content_hash, "what it was given is changed"


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKES)
def test_same_seed_same_bytes_and_the_input_untouched(name: str, inputs: dict[str, Artifact], tmp_path: Path):
    before = {key: folder_bytes(input_.path) for key, input_ in inputs.items()}
    made = [run(name, inputs, tmp_path / f"work{i}", tmp_path / f"made{i}") for i in range(2)]
    assert made[0].content_hash == made[1].content_hash
    assert folder_bytes(made[0].path) == folder_bytes(made[1].path)
    assert {key: folder_bytes(input_.path) for key, input_ in inputs.items()} == before
    # A step that hands its input back would pass all of the above.
    source = inputs[next(consume for consume in catalog.load(name).consumes if consume in inputs)]
    assert made[0].content_hash != source.content_hash


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKES)
def test_formats_and_history_are_honoured(name: str, inputs: dict[str, Artifact], tmp_path: Path):
    kind = catalog.load(name)
    made = run(name, inputs, tmp_path / "work", tmp_path / "made")
    source = inputs[next(consume for consume in kind.consumes if consume in inputs)]
    assert made.format == kind.produces
    assert (made.task, made.max_tokens) == (source.task, source.max_tokens)
    assert [dict(entry) for entry in made.history[:-1]] == [dict(entry) for entry in source.history]
    last = made.history[-1]
    assert (last["step"], last["parent"]) == (name, source.content_hash)
    assert last["options"] == options(kind(**constant(name, "QUICK")))


def test_another_seed_gives_other_bytes(inputs: dict[str, Artifact], tmp_path: Path):
    """Otherwise "same seed, same bytes" would say nothing about training."""
    step = build("compress.distil", constant("compress.distil", "QUICK"), "here")
    made = [
        step(inputs["encoder"], make_context(tmp_path / str(seed), inputs["encoder"], seed=seed), tmp_path / f"m{seed}")
        for seed in (1, 2)
    ]
    assert made[0].content_hash != made[1].content_hash


def test_listing_imports_nothing_heavy():
    code = (
        "import json, sys; from leanformer import catalog; cards = [catalog.card(n) for n in catalog.TECHNIQUES]; "
        "print(json.dumps([len(cards), [n for n in ('torch', 'transformers', 'onnx', 'numpy') if n in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [len(NAMES), []]


def test_a_card_without_a_field_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "poor_card.py").write_text('"""A title.\n\nWhat: little.\n"""\nclass Poor:\n    pass\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(catalog.TECHNIQUES, "compress.poor", "poor_card:Poor")
    with pytest.raises(ValueError, match="lacks Paper, Helps, Hurts, Needs, Example"):
        catalog.card("compress.poor")


def test_the_tiny_artifact_is_new_each_time(tmp_path: Path):
    """The tests above compare bytes; the artifact that they start from must be the same one."""
    assert tiny_artifact(tmp_path / "a").content_hash == tiny_artifact(tmp_path / "b").content_hash
