"""`leanformer predict --ray` and `leanformer search --ray`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_search import SPACE
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.searches import write_space
from tests.making.taught import make_teacher
from tests.making.tiny import tiny_texts


def test_only_files_are_scored_on_a_cluster(command: Command, tiny_onnx_artifact: Path, tmp_path: Path):
    path = write_lines(tmp_path / "texts.jsonl", [{"text": "goal match"}])
    output = ("--output", tmp_path / "out.jsonl")
    for arguments in (
        ("goal match", *output),
        ("--input", "-", *output),
        ("--input", path),
        ("--input", tmp_path / "none.jsonl", *output),
    ):
        is_friendly(*command("predict", tiny_onnx_artifact, *arguments, "--ray", "local"))
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


@pytest.mark.slow
def test_a_cluster_answers_as_this_machine_does(command: Command, tiny_onnx_artifact: Path, tmp_path: Path):
    pytest.importorskip("ray")
    path = write_lines(tmp_path / "texts.jsonl", [{"text": text} for text in tiny_texts(50, seed=4)[0]])
    arguments = ("predict", tiny_onnx_artifact, "--input", path, "--output")
    assert command(*arguments, tmp_path / "plain.jsonl")[0] == 0
    status, _, err = command(*arguments, tmp_path / "out.jsonl", "--ray", "local", "--part-rows", 20)
    assert status == 0 and "50 answers in 3 parts" in err
    ours, theirs = (
        [json.loads(line) for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()]
        for name in ("out.jsonl", "plain.jsonl")
    )
    assert [(answer["text"], answer["label"]) for answer in ours] == [
        (answer["text"], answer["label"]) for answer in theirs
    ]
    write_lines(path, [{"text": "rain"}, {"label": "no text"}])
    status, out, err = command(*arguments, tmp_path / "bad.jsonl", "--ray", "local", "--strict")
    is_friendly(status, out, err)
    assert "line 2" in err and not (tmp_path / "bad.jsonl").exists()
    status, out, err = command(*arguments, tmp_path / "bad.jsonl", "--ray", "local")
    assert (status, out) == (0, "") and "1 of 2 rows has no answer" in err
    theirs = tmp_path / "plain.jsonl"
    assert command(*arguments, theirs)[0] == 0
    assert [json.loads(line).get("error") for line in (tmp_path / "bad.jsonl").read_text("utf-8").splitlines()] == [
        json.loads(line).get("error") for line in theirs.read_text("utf-8").splitlines()
    ]


@pytest.mark.slow
def test_a_search_on_a_cluster_finds_the_front(command: Command, folder: Path, tmp_path: Path):
    pytest.importorskip("ray")
    teacher = make_teacher(tmp_path)
    space = write_space(tmp_path / "space", SPACE)
    given = ("search", space, "--model", teacher.path, "--data", folder, "--output", tmp_path / "found",
             "--sampler", "grid", "--rounds", 1, "--threads", 1, "--device", "cpu", "--ray", "local",
             "--allow-weak-teacher", "--allow-lost-classes")  # fmt: skip
    answer = command(*given, "--trials", 2, "--cores", 1000)
    is_friendly(*answer)
    assert "a task takes 1000 cores" in answer[2]
    status, _, err = command(*given, "--trials", 5)
    assert status == 0, err
    record = json.loads((tmp_path / "found" / "search.json").read_text(encoding="utf-8"))
    assert record["counts"] == {"finished": 2} and record["front"]
    assert not any("latency_ms_p50" in trial["figures"] for trial in record["trials"]), "no goal asks for time"
