"""`leanformer search`, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.making.commands import Command, is_friendly, write_lines
from tests.making.searches import write_space
from tests.making.tiny import LABELS, tiny_artifact
from tests.search.rare import LOST, knowing_teacher, rare_dataset
from tests.search.rare import SPACE as RARE

SPACE = """\
name: small
goals: {maximise: accuracy, minimise: bytes}
steps:
  - step: export.onnx
    max_difference: 0.01
  - name: precision
    choose: [null, {step: export.int8, max_flips: 1.0, max_mean_share: 10.0}]
"""


@pytest.mark.slow
def test_a_search_prints_its_front_and_goes_on(command: Command, folder: Path, tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher")
    space = write_space(tmp_path / "space", SPACE)
    given = ("search", space, "--model", teacher.path, "--data", folder, "--output", tmp_path / "found",
             "--allow-weak-teacher", "--allow-lost-classes", "--sampler", "grid", "--rounds", 1, "--threads", 1,
             "--device", "cpu")  # fmt: skip
    status, out, err = command(*given, "--trials", 1)
    assert status == 0, err
    assert "1 on the front of 1 trials on dev" in out
    status, out, err = command(*given, "--trials", 5)
    assert status == 0, err
    assert "taken up again: 1 trials" in err and "nothing is left to try" in err
    record = json.loads((tmp_path / "found" / "search.json").read_text(encoding="utf-8"))
    assert record["counts"] == {"finished": 2} and record["ended"] == "nothing is left to try"
    assert all((tmp_path / "found" / f"front/trial-{i:03}" / "leanformer.json").is_file() for i in record["front"])
    again = command(*given[:-1], "cpu", "--trials", 5, "--seed", 4)
    assert again[:2] == (1, "") and "of another search" in again[2] and "Traceback" not in again[2]


@pytest.mark.slow
def test_where_every_model_loses_a_class_there_is_none_unless_asked(command: Command, tmp_path: Path):
    data = rare_dataset()
    for split in ("train", "dev", "test"):
        part = getattr(data, split)
        rows = [{"text": text, "label": LABELS[i]} for text, i in zip(part.texts, part.labels, strict=True)]
        write_lines(tmp_path / "data" / f"{split}.jsonl", rows)
    teacher = knowing_teacher(tmp_path / "teacher")
    space = write_space(tmp_path / "space", RARE.replace("[1, 20]", "[20, 21]"))
    given = ("search", space, "--model", teacher.path, "--data", tmp_path / "data", "--output", tmp_path / "found",
             "--trials", 2, "--rounds", 1, "--threads", 1, "--device", "cpu")  # fmt: skip
    status, out, err = command(*given)
    assert status == 3 and "0 on the front" in out
    assert f"loses on dev: {LOST}, so it is not on the front (--allow-lost-classes" in err
    text = (tmp_path / "found" / "report.md").read_text(encoding="utf-8")
    assert "No finished trial keeps the bounds and finds every label that the teacher finds." in text
    status, out, err = command(*given, "--allow-lost-classes")
    assert status == 0 and "1 on the front" in out, err
    assert LOST in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a search needs a budget"),
        (("--trials", 2, "--sampler", "magic"), "no sampler is called 'magic'"),
        (("--joules", 10), "add --energy"),
        (("--minutes", -1), "it is above 0"),
    ],
)
def test_what_cannot_be_meant_is_said(
    arguments: tuple[object, ...], said: str, command: Command, folder: Path, tmp_path: Path
):
    teacher = tiny_artifact(tmp_path / "teacher")
    space = write_space(tmp_path / "space", SPACE)
    answer = command(
        "search", space, "--model", teacher.path, "--data", folder, "--output", tmp_path / "found", *arguments
    )
    is_friendly(*answer)
    assert said in answer[2]
    assert not (tmp_path / "found.work").exists()


def test_a_folder_of_another_kind_is_not_overwritten(command: Command, folder: Path, tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher")
    space = write_space(tmp_path / "space", SPACE)
    answer = command("search", space, "--model", teacher.path, "--data", folder, "--output", folder, "--trials", 1)
    is_friendly(*answer)
    assert "exists and is not of a search" in answer[2]


def test_nothing_within_the_bounds_is_status_3(command: Command, folder: Path, tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher")
    space = write_space(tmp_path / "space", SPACE.replace("minimise: bytes", "minimise: bytes, max_bytes: 10"))
    status, out, err = command(
        "search", space, "--model", teacher.path, "--data", folder, "--output", tmp_path / "found", "--trials", 1,
        "--threads", 1, "--device", "cpu", "--allow-weak-teacher",
    )  # fmt: skip
    assert status == 3, err
    assert "0 on the front" in out


def test_compress_names_the_command_for_a_search(command: Command, folder: Path, tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher")
    space = write_space(tmp_path / "space", SPACE)
    answer = command("compress", teacher.path, "--data", folder, "--output", tmp_path / "lean", "--recipe", space)
    is_friendly(*answer)
    assert "a search, for it has goals" in answer[2]
