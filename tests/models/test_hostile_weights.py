"""Configurations and weights of our own formats from anywhere: refused when the artifact is opened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from leanformer.artifact import MANIFEST, Artifact
from leanformer.errors import ArtifactError, DataError
from leanformer.loading import open_predictor
from tests.fuzz.hashes import repair
from tests.making.recurrent import recurrent_artifact
from tests.making.tiny import tiny_artifact

CONFIGS = {"encoder": "encoder.json", "bilstm": "bilstm.json"}


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("whole")
    return {"encoder": tiny_artifact(folder / "encoder"), "bilstm": recurrent_artifact(folder / "bilstm")}


@pytest.fixture(params=CONFIGS)
def copy(request: pytest.FixtureRequest, wholes: dict[str, Artifact], tmp_path: Path) -> Path:
    """A copy of an artifact of each format, in a folder of the format's name."""
    shutil.copytree(wholes[request.param].path, tmp_path / request.param)
    return tmp_path / request.param


def refused(folder: Path, file: str, said: str) -> None:
    repair(folder)
    with pytest.raises(ArtifactError, match=rf"(?s){file}: .*{said}.*remedy"):
        open_predictor(folder, threads=1)


def config(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / CONFIGS[folder.name]
    value = json.loads(path.read_text(encoding="utf-8"))
    edit(value)
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 5000 + "]" * 5000, '{"vocabulary": NaN}', "\x80\x04."])
def test_a_configuration_that_is_none_is_refused(copy: Path, text: str):
    (copy / CONFIGS[copy.name]).write_text(text, encoding="utf-8")
    refused(copy, CONFIGS[copy.name], "not a configuration that can be read")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("vocabulary", "many", "not a whole number"),
        ("vocabulary", True, "not a whole number"),
        ("vocabulary", -1, "not a whole number"),
        ("vocabulary", 2**50, "not a whole number"),
        ("labels", 7, "7 labels, and the manifest has"),
        ("padding_id", 5000, "the padding id 5000"),
        ("dropout", "x", "not a number"),
        ("more", 1, "unknown 'more'"),
    ],
)
def test_a_configuration_of_wrong_types_is_refused(copy: Path, name: str, value: Any, said: str):
    config(copy, lambda known: known.update({name: value}))
    refused(copy, CONFIGS[copy.name], said)


def test_a_configuration_for_another_form_of_answer_is_refused(copy: Path):
    other = {"head": {"pooling": "none"}} if copy.name == "encoder" else {"pooling": "ends"}
    config(copy, lambda known: known.update(other))
    refused(copy, CONFIGS[copy.name], "a head for another task")


@pytest.mark.parametrize(("name", "value"), [("vocabulary", 60_000_000), ("vocabulary", 50)])
def test_no_memory_is_taken_for_sizes_that_the_weights_have_not(copy: Path, name: str, value: int):
    config(copy, lambda known: known.update({name: value}))
    refused(copy, "model.safetensors", f"has the shape .* and the configuration says \\[{value}, ")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04" + bytes(60), b"\x80\x04K\x01.", b"\xff" * 16, b"\x02" + bytes(7) + b"{}"], ids=str
)
def test_weights_that_are_none_are_refused(copy: Path, content: bytes):
    (copy / "model.safetensors").write_bytes(content)
    refused(copy, "model.safetensors", "")


def test_weights_that_are_cut_or_lack_one_or_have_more_are_refused(copy: Path):
    path = copy / "model.safetensors"
    content = path.read_bytes()
    # Of their own, for the file under them is written anew.
    weights = {name: value.clone() for name, value in load_file(path).items()}
    path.write_bytes(content[: len(content) // 2])
    refused(copy, "model.safetensors", "not the weights of this model")
    name = sorted(weights)[0]
    save_file({key: value for key, value in weights.items() if key != name}, path)
    refused(copy, "model.safetensors", f"{name} has the shape of none")
    save_file(weights | {"more": torch.zeros(1)}, path)
    refused(copy, "model.safetensors", "more has the shape .* that there is none")
    save_file(weights | {name: torch.full_like(weights[name], float("nan"))}, path)
    refused(copy, "model.safetensors", "not finite")


def test_fewer_words_than_the_special_tokens_need_are_refused(copy: Path):
    path = copy / "tokenizer.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    value["post_processor"]["special_tokens"]["[SEP]"]["ids"] = [4000]
    path.write_text(json.dumps(value), encoding="utf-8")
    refused(copy, "tokenizer.json", "it sets id 4000 beside every text")


def test_a_word_beyond_the_table_is_an_error_of_the_text(copy: Path):
    path = copy / "tokenizer.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    value["model"]["vocab"]["song"] = 4000
    path.write_text(json.dumps(value), encoding="utf-8")
    repair(copy)
    model = open_predictor(copy, threads=1)
    assert len(model.infer(model.tokenize(["team"]))), "other texts are answered"
    with pytest.raises(DataError, match=r"(?s)token id 4000.*remedy"):
        model.infer(model.tokenize(["song"]))


def test_more_tokens_than_positions_are_refused(tmp_path: Path, wholes: dict[str, Artifact]):
    shutil.copytree(wholes["encoder"].path, tmp_path / "encoder")
    value = json.loads((tmp_path / "encoder" / MANIFEST).read_text(encoding="utf-8"))
    (tmp_path / "encoder" / MANIFEST).write_text(json.dumps(value | {"max_tokens": 65}), encoding="utf-8")
    refused(tmp_path / "encoder", "encoder.json", "64 positions, and the manifest allows 65 tokens")
