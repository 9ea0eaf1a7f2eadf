"""What a finished step is found by: options that were chosen, and defaults that never change silently."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from leanformer.artifact import Artifact
from leanformer.catalog import TECHNIQUES, load
from leanformer.options import options_of_type
from leanformer.recipe.keys import curation_key, step_key, teacher_key
from leanformer.recipe.spec import build
from leanformer.step import Context, Curate, Make, record
from leanformer.train.adapters import spec
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact

KEYS = Path(__file__).with_name("keys.json")


@dataclass(frozen=True)
class Before(Make):
    amount: float = 0.5
    technique: ClassVar[str] = "compress.some"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"
    reads_data: ClassVar[bool] = False

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        raise NotImplementedError


@dataclass(frozen=True)
class After(Before):
    kinds: tuple[str, ...] = ("one",)


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "teacher")


def key(step: Any, teacher: Artifact, folder: Path) -> str:
    context = make_context(folder, teacher)
    return curation_key(step, context) if isinstance(step, Curate) else step_key(step, teacher, teacher, context)


def test_a_new_option_leaves_the_key_alone(teacher: Artifact, tmp_path: Path):
    assert key(Before(), teacher, tmp_path) == key(After(), teacher, tmp_path)
    assert key(Before(0.25), teacher, tmp_path) == key(After(0.25), teacher, tmp_path)


def test_a_chosen_option_changes_it(teacher: Artifact, tmp_path: Path):
    steps = Before(), Before(0.25), After(kinds=("one", "two")), After(0.25, ("one", "two"))
    assert len({key(step, teacher, tmp_path) for step in steps}) == len(steps)


def text_options() -> list[tuple[str, str]]:
    """Technique and option, of every option that takes text and names neither a file nor an artifact."""
    return [
        (technique, option) for technique in sorted(TECHNIQUES) for option in options_of_type(load(technique), "str")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("technique", "option"), text_options())
def test_what_lies_in_the_folder_that_we_are_in_changes_no_key(
    technique: str, option: str, teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`method: static` beside a folder static/, a file, an artifact: it is still the method."""
    step, value = load(technique)(), "lora" if option == "adapter" else "static"
    object.__setattr__(step, option, value)  # whether or not it is one that the option takes
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    keys = [key(step, teacher, tmp_path)]
    Path(value).mkdir()
    Path(value, "thesis.txt").write_text("mine")
    keys.append(key(step, teacher, tmp_path))
    Path(value, "thesis.txt").unlink()
    Path(value).rmdir()
    Path(value).write_text("a file")
    keys.append(key(step, teacher, tmp_path))
    Path(value).unlink()
    tiny_artifact(Path(value), seed=4)
    keys.append(key(step, teacher, tmp_path))
    assert len(set(keys)) == 1


@pytest.mark.parametrize("technique", ["train.fine_tune", "compress.distil"])
def test_an_adapters_rate_is_in_the_key_and_in_the_history(
    technique: str, teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """BitFit once took the step's rate: what was made with that is not what is made now."""
    made = load(technique)
    chosen, same = made(adapter="bitfit"), made(adapter="bitfit", learning_rate=1e-3)
    now = key(chosen, teacher, tmp_path)
    assert now == key(same, teacher, tmp_path)
    assert record(chosen, None)["options"]["learning_rate"] == 1e-3
    monkeypatch.setitem(spec._KINDS["bitfit"], "rate", made().learning_rate)
    assert key(chosen, teacher, tmp_path) != now


def test_an_adapter_of_peft_is_known_with_its_base(teacher: Artifact, tmp_path: Path):
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    adapter.mkdir()
    (base / "config.json").write_text("{}")
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    context = make_context(tmp_path, teacher)

    def found() -> str:
        return teacher_key(load("train.fine_tune")(), str(adapter), 32, context)

    before = found()
    (base / "config.json").write_text('{"model_type": "bert"}')
    assert found() != before


PATHS = [
    (technique, option) for technique in sorted(TECHNIQUES) for option in options_of_type(load(technique), "FilePath")
]


def test_the_options_that_are_paths_are_these():
    assert {
        ("compress.distil", "start"), ("compress.prune", "table"), ("compress.prune_post_training", "table"),
        ("compress.trim_vocabulary", "extra_texts"), ("train.fine_tune", "encoder"),
    } <= set(PATHS)  # fmt: skip


@pytest.mark.parametrize(("technique", "option"), PATHS)
def test_a_path_stands_for_what_is_there(
    technique: str, option: str, teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert option in {field_.name for field_ in fields(load(technique))}
    monkeypatch.chdir(tmp_path)
    step = load(technique)(**{option: "given"}, **({"budget": "latency"} if option == "table" else {}))
    nothing = key(step, teacher, tmp_path)
    Path("given").write_text("one")
    file = key(step, teacher, tmp_path)
    Path("given").write_text("two")
    changed = key(step, teacher, tmp_path)
    Path("given").unlink()
    Path("given").mkdir()
    Path("given", "texts.txt").write_text("two")
    assert len({nothing, file, changed, key(step, teacher, tmp_path)}) == 4


@pytest.mark.parametrize(("technique", "values", "expected"), json.loads(KEYS.read_text(encoding="utf-8")), ids=str)
def test_what_earlier_versions_finished_is_found(
    technique: str, values: dict[str, Any], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """keys.json has keys written before options had groups; a key that changes makes everybody's finished work anew."""
    monkeypatch.chdir(tmp_path)
    Path("table.json").write_text("{}")
    artifacts = {name: SimpleNamespace(content_hash=name[0] * 64) for name in ("source", "teacher", "graph")}
    context: Any = SimpleNamespace(artifacts=artifacts, data=SimpleNamespace(training_hash="d" * 64), seed=13)
    source: Any = artifacts["source"]
    teacher: Any = artifacts["teacher"]
    step: Any = build(technique, values, "here")
    assert step_key(step, source, teacher, context) == expected
