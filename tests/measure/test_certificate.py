"""Certificates: which files certify a model, and what is said of those that do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError
from leanformer.measure.certificate import certified, check_certificate
from tests.making.tiny import tiny_artifact


@pytest.fixture
def model(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "lean")


def verdict(model: Artifact, **changes: Any) -> dict[str, Any]:
    value = {
        "artifact": {"path": "lean", "content_hash": model.content_hash}, "reference": {"content_hash": "1" * 64},
        "ships": True, "reuse": {"all_rows": False},
    }  # fmt: skip
    return certified(value | changes, "leanformer gate lean")


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_a_file_in_the_folder_or_one_that_is_named(model: Artifact, tmp_path: Path):
    other = write(tmp_path / "elsewhere.json", verdict(model))
    assert check_certificate(model, [tmp_path / "missing.json", other]) == other
    beside = write(model.path / "gate.json", verdict(model))
    assert check_certificate(model) == beside
    assert check_certificate(model, [tmp_path / "missing.json"]) == beside
    assert verdict(model)["command"]["line"] == "leanformer gate lean"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: None, "is missing"),
        (lambda value: [], "is no certificate"),
        (lambda value: {"ships": True}, "is no certificate"),
        (lambda value: {name: part for name, part in value.items() if name != "certificate"}, "is no certificate"),
        (lambda value: value | {"warnings": ["none"]}, "was changed after it was written"),
        (lambda value: value | {"ships": 1}, "not true or false"),
    ],
)
def test_what_certifies_nothing(change: Any, said: str, model: Artifact):
    if (value := change(verdict(model))) is not None:
        write(model.path / "gate.json", value)
    with pytest.raises(LeanformerError, match=said) as error:
        check_certificate(model)
    assert "remedy: leanformer gate" in str(error.value) and "--output" in str(error.value)


def test_a_file_that_is_none_is_to_be_removed_first(model: Artifact):
    write(model.path / "gate.json", {"ships": True})
    with pytest.raises(LeanformerError, match=r"gate.json, once the file that is none is removed"):
        check_certificate(model)


def test_a_comparison_with_itself_proves_nothing(model: Artifact):
    write(model.path / "gate.json", verdict(model, reference={"content_hash": model.content_hash}))
    with pytest.raises(LeanformerError, match="compares the model with itself"):
        check_certificate(model)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"artifact": {"content_hash": "0" * 64}}, "is that of another model (000000000000, and this one is "),
        ({"ships": False}, "says HOLD"),
        ({"reuse": {"all_rows": True}}, "was made with --used"),
    ],
)
def test_a_certificate_of_something_else(changes: dict[str, Any], said: str, model: Artifact):
    write(model.path / "gate.json", verdict(model, **changes))
    with pytest.raises(LeanformerError) as error:
        check_certificate(model)
    assert said in str(error.value)
