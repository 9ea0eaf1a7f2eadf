"""What goes wrong at the command line is one message to act on, said before the work and not after it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.tiny import tiny_texts


@pytest.fixture
def encoder(tiny_onnx_artifact: Path) -> Path:
    return tiny_onnx_artifact.parent / "encoder"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in."""
    (tmp_path / "here" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "deeper")
    return tmp_path / "here"


def test_an_interrupt_says_how_to_go_on_where_one_can(
    command: Command, encoder: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("leanformer.catalog.card", interrupted)
    status, _, err = command("techniques")
    assert (status, err) == (130, "stopped\n")
    monkeypatch.setattr("leanformer.recipe.compress.find_recipe", interrupted)
    status, _, err = command("compress", encoder, "--data", folder, "--output", tmp_path / "lean")
    assert status == 130
    assert "run the same command again" in err


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there(name: str, command: Command, encoder: Path, folder: Path, tmp_path: Path):
    output = ("--output", tmp_path / "out", "--device", name)
    for status, out, err in (
        command("compress", encoder, "--data", folder, *output),
        command("train", folder, "--encoder", encoder, *output),
    ):
        assert (status, out) == (1, "")
        assert f"error: {'unknown ' if name == 'gpu' else ''}device '{name}'" in err
        assert "remedy: " in err and "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize("value", ["[1,3", "{a: ", "'x", "@", "2020-13-01"])
def test_an_option_that_is_not_yaml(value: str, command: Command, encoder: Path, folder: Path, tmp_path: Path):
    arguments = ("--data", folder, "--output", tmp_path / "lean", "--set", f"student.layers={value}")
    status, out, err = command("compress", encoder, *arguments, "--recipe", "distil")
    is_friendly(status, out, err)
    assert f"--set student.layers={value}: not valid YAML" in err


@pytest.mark.parametrize("given", [".", "..", "../deeper", "missing/.."])
def test_the_folder_that_one_is_in_is_not_replaced(
    given: str, command: Command, encoder: Path, folder: Path, work: Path
):
    # As artifacts they would be replaced without a word, were they elsewhere.
    for place in (work, work / "deeper"):
        shutil.copytree(encoder, place, dirs_exist_ok=True)
    for arguments in (("compress", encoder, "--data", folder), ("train", folder, "--encoder", encoder)):
        status, out, err = command(*arguments, "--output", given)
        is_friendly(status, out, err)
        assert f"{given}: is or holds the folder that you are in" in err
    is_friendly(*command("export", encoder, "--to", "transformers", "--output", given))
    assert open_artifact(Path.cwd()).content_hash == open_artifact(encoder).content_hash
    assert not list(work.parent.rglob("*.work"))


def test_an_output_that_cannot_be_made(command: Command, encoder: Path, folder: Path, tmp_path: Path):
    (tmp_path / "file").write_text("a file")
    below = tmp_path / "file" / "deep" / "lean"
    for arguments in (
        ("compress", encoder, "--data", folder, "--output", below),
        ("train", folder, "--encoder", encoder, "--output", below),
        ("export", encoder, "--output", below),
        ("export", encoder, "--to", "transformers", "--output", below),
        ("bench", encoder, "--data", folder, "--output", below),
    ):
        status, out, err = command(*arguments)
        is_friendly(status, out, err)
        assert f"{below}: cannot be made, for {tmp_path / 'file'} is not a folder" in err
    status, out, err = command("bench", encoder, "--data", folder, "--output", tmp_path)
    is_friendly(status, out, err)
    assert "a folder; it cannot be written" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_may_not_be_written(command: Command, encoder: Path, folder: Path, tmp_path: Path):
    (tmp_path / "closed").mkdir(mode=0o500)
    status, out, err = command("train", folder, "--encoder", encoder, "--output", tmp_path / "closed" / "out")
    is_friendly(status, out, err)
    assert "may not be written to" in err


def test_what_the_system_refuses_is_said_with_the_name(command: Command, tiny_onnx_artifact: Path, tmp_path: Path):
    """An error that no check of ours foresees: a name that is too long."""
    name = "n" * 300
    status, out, err = command("predict", tiny_onnx_artifact, "goal", "--output", tmp_path / name)
    is_friendly(status, out, err)
    assert name in err and "File name too long" in err


def test_the_encoder_is_not_overwritten(command: Command, encoder: Path, folder: Path, tmp_path: Path):
    shutil.copytree(encoder, tmp_path / "encoder")
    arguments = ("train", folder, "--encoder", tmp_path / "encoder", "--output", tmp_path / "encoder", "--epochs", 1)
    status, out, err = command(*arguments)
    assert (status, out) == (1, "")
    assert "is or holds the encoder to start from" in err and "Traceback" not in err
    assert open_artifact(tmp_path / "encoder").content_hash == open_artifact(encoder).content_hash


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test.jsonl", "reviews.jsonl", "train.jsonl"])
def test_bench_on_one_file(name: str, command: Command, tiny_onnx_artifact: Path, folder: Path, tmp_path: Path):
    shutil.copyfile(folder / "test.jsonl", tmp_path / name)
    common = (tiny_onnx_artifact, "--rounds", 1, "--threads", 1, "--no-memory", "--json", "--data")
    status, out, err = command("bench", *common, tmp_path / name)
    assert status == 0, err
    report = json.loads(out)
    assert report["data"]["rows"] == {"test": 60}
    assert report["rungs"][0]["dev_quality"] is None
    write_lines(tmp_path / name, [{"text": text} for text in tiny_texts(30, seed=9)[0]])
    status, out, err = command("bench", *common, tmp_path / name)
    is_friendly(status, out, err)
    assert f"{name}: no row has a label" in err


@pytest.mark.parametrize("arguments", [("compress", "--recipe", "quick"), ("bench",)])
def test_second_texts_are_refused(
    arguments: tuple[str, ...], command: Command, tiny_onnx_artifact: Path, folder: Path, tmp_path: Path
):
    rows = [{"text": text, "text_pair": text, "label": "music"} for text in tiny_texts(4, seed=9)[0]]
    write_lines(folder / "test.jsonl", rows)
    output = ("--output", tmp_path / "out")
    status, out, err = command(arguments[0], tiny_onnx_artifact, "--data", folder, *output, *arguments[1:])
    is_friendly(status, out, err)
    assert "test.jsonl, line 1: a second text ('text_pair')" in err
    is_friendly(*command("predict", tiny_onnx_artifact, "--input", folder / "test.jsonl", "--strict"))
    status, out, err = command("predict", tiny_onnx_artifact, "--input", folder / "test.jsonl")
    assert status == 1 and err.startswith("error: none of 4 rows has an answer")
    assert all("second text" in json.loads(line)["error"] for line in out.splitlines()) and len(out.splitlines()) == 4


def test_matched_labels_are_shown(command: Command, encoder: Path, tmp_path: Path):
    shutil.copytree(encoder, tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / "leanformer.json").read_text())
    manifest["history"] = [
        {"step": "import", "options": {"labels_matched": {f"LABEL_{i}": f"name {i}" for i in range(25)}}}
    ]
    (tmp_path / "model" / "leanformer.json").write_text(json.dumps(manifest))
    status, out, _ = command("inspect", tmp_path / "model")
    assert status == 0
    assert "LABEL_0 is name 0, LABEL_1 is name 1" in out and "LABEL_19 is name 19 and 5 more)" in out
