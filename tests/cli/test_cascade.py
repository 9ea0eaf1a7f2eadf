"""`leanformer cascade`, and the other commands on what it wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.cascade.store import read_cascade
from leanformer.data.used_texts import UsedTexts, attach, recorded
from leanformer.report import Report
from tests.making.cascades import make_members
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.tagged import tagger_artifact
from tests.making.tiny import LABELS, tiny_dataset, tiny_texts

LOOSE = ("--max-loss", 60, "--confidence", 0.8)
# The members' weights are random.
ANY = ("--allow-weak-teacher",)


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[Artifact]:
    return make_members(tmp_path_factory.mktemp("members"))


def test_it_says_what_rows_can_show_first(command: Command, members: list[Artifact], folder: Path, tmp_path: Path):
    paths = [member.path for member in members]
    status, out, err = command("cascade", *paths, "--data", folder, "--forecast")
    assert (status, out) == (0, "")
    assert "takes 599 calibration rows" in err and "there are 30" in err and "scoring" not in err
    status, _, err = command("cascade", *paths, "--data", folder, "--promise", "agreement", "--forecast")
    assert status == 0 and "takes 598 calibration rows" in err


def test_a_promise_that_cannot_be_made_is_refused(
    command: Command, members: list[Artifact], folder: Path, tmp_path: Path
):
    arguments = ("cascade", *(member.path for member in members), "--data", folder, "--output", tmp_path / "made", *ANY)
    status, out, err = command(*arguments)
    assert status == 4 and out == "" and not (tmp_path / "made").exists()
    assert "the promise cannot be made: 30 calibration rows cannot show it" in err and "remedy:" in err
    status, out, err = command(*arguments, "--otherwise", "large")
    assert status == 0 and "member 0: not asked" in out and "so the last member answers all" in out
    plan, _ = read_cascade(open_artifact(tmp_path / "made"))
    assert plan.thresholds == (None,)
    texts = tiny_texts(5, seed=9)[0]
    _, ours, err = command("predict", tmp_path / "made", *texts)
    assert ours == command("predict", members[1].path, *texts)[1] and "100.0 % to member 1" in err


def test_a_cascade_goes_through_every_command(command: Command, members: list[Artifact], folder: Path, tmp_path: Path):
    made, report = tmp_path / "made", tmp_path / "bench.json"
    arguments = (
        "cascade",
        *(member.path for member in members),
        "--data",
        folder,
        "--output",
        made,
        *LOOSE,
        *ANY,
        "--json",
    )
    status, out, _ = command(*arguments)
    assert status == 0
    value = json.loads(out)
    assert value["calibration"]["rows"] == 30 and value["calibration"]["fit_rows"] == 10
    assert value["data"]["rows"] == {"dev": 40} and value["calibration"]["p"] <= 0.2
    assert value["content_hash"] == open_artifact(made).content_hash

    status, out, _ = command("inspect", made)
    assert status == 0
    for said in ("format      cascade", "members", "promise: at most 60 points of accuracy lost", "went on:"):
        assert said in out

    status, out, err = command("predict", made, "--input", folder / "test.jsonl", "--threads", 1)
    assert status == 0 and len(out.splitlines()) == 60 and "note: of 60 texts went on:" in err
    assert {json.loads(line)["label"] for line in out.splitlines()} <= set(LABELS)

    status, out, _ = command(
        "bench", members[1].path, made, "--data", folder, "--rounds", 1, "--no-memory", "--output", report
    )
    assert status == 0
    notes = [note for note in Report.read(report).notes if "cascade" in note]
    assert len(notes) == 1 and notes[0].startswith("of the test texts asked of the cascade made, ")
    assert Report.read(report).rungs[1].format == "cascade"

    status, out, err = command(
        "gate", made, "--against", members[1].path, "--data", folder, "--on", "dev", "--slice", "length", *ANY
    )
    assert status == 1 and "made or chosen with" in err, "the calibration rows prove nothing more"
    status, _, _ = command("gate", made, "--against", members[1].path, "--data", folder, "--slice", "length", *ANY)
    assert status in (0, 4)
    is_friendly(*command("export", made, "--output", tmp_path / "graph.onnx"))
    status, _, err = command("compress", made, "--data", folder, "--output", tmp_path / "lean")
    assert status == 1 and "a cascade cannot be compressed" in err


def test_unlabelled_rows_are_enough_for_agreement(command: Command, members: list[Artifact], tmp_path: Path):
    texts = tiny_texts(80, seed=5)[0]
    path = write_lines(tmp_path / "texts.jsonl", [{"text": text} for text in texts])
    arguments = ("cascade", *(member.path for member in members), "--data", path, "--on", "unlabelled")
    is_friendly(*command(*arguments, "--output", tmp_path / "made", *LOOSE))
    status, out, _ = command(*arguments, "--output", tmp_path / "made", *LOOSE, "--promise", "agreement")
    assert status == 0 and "per cent of answers changed" in out


def test_bad_wishes_are_refused(command: Command, members: list[Artifact], folder: Path, tmp_path: Path):
    paths = [member.path for member in members]
    tagger = tagger_artifact(tmp_path / "tagger")
    given = ("--data", folder, "--output", tmp_path / "made")
    for arguments, said in [
        ((*paths, *given, "--on", "train"), "surer of what they were trained on"),
        ((*paths, *given, "--on", "unlabelled"), "to calibrate on"),
        ((*paths, *given, "--measure", "guess"), "one of probability"),
        ((*paths, *given, "--otherwise", "pray"), "one of refuse"),
        ((*paths, *given, "--promise", "speed"), "a promise is of"),
        ((*paths, *given, "--max-loss", 0), "between 0 and 100"),
        ((*paths, *given, "--fit-share", 1), "between 0 and 1"),
        ((paths[0], *given), "2 to 8 models"),
        ((tagger.path, tagger.path, *given), "has no cascade"),
        ((*paths, "--data", folder), "nowhere to write"),
        ((*paths, "--data", folder, "--output", paths[0]), "is one of the models"),
    ]:
        status, out, err = command("cascade", *arguments)
        is_friendly(status, out, err)
        assert said in err, err
    assert not (tmp_path / "made").exists()


def test_used_rows_make_no_promise_and_a_few_are_left_out(
    command: Command, members: list[Artifact], folder: Path, tmp_path: Path
):
    for name, member in zip(("small", "large"), members, strict=True):
        shutil.copytree(member.path, tmp_path / name)
    small, large = (open_artifact(tmp_path / name) for name in ("small", "large"))
    attach(small, tiny_dataset().used_texts)
    attach(large, UsedTexts(unknown=("some-checkpoint",)))
    arguments = ("cascade", small.path, large.path, "--output", tmp_path / "made", *LOOSE, *ANY)
    status, out, err = command(*arguments, "--data", folder)
    assert status == 0 and "no promise: 40 of 40 texts were used before: 40 to choose" in err
    assert "what some-checkpoint was trained with is not recorded" in err
    assert "promise: none, 40 of 40 texts were used before" in out
    assert "promise: none, 40 of 40" in command("inspect", tmp_path / "made")[1]

    texts, labels = tiny_texts(100, seed=5)
    rows = [{"text": f"{text} {row}", "label": LABELS[labels[row]]} for row, text in enumerate(texts)]
    rows += [{"text": f"  {tiny_texts(120, seed=0)[0][0]}", "label": LABELS[0]}, rows[0]]  # the first of train
    path = write_lines(tmp_path / "own.jsonl", rows)
    status, out, err = command(*arguments, "--data", path, "--json")
    assert status == 0 and "1 of 102 texts were used before: 1 in training; they are left out" in err
    assert "1 of 102 rows repeat an earlier one" in err
    value = json.loads(out)
    assert "no_promise" not in value and value["calibration"]["rows"] + value["calibration"]["fit_rows"] == 100
    made = open_artifact(tmp_path / "made")
    found = recorded(made)
    assert found is not None and len(found.roles["calibration"]) == 100 and found.unknown == ("some-checkpoint",)
    # The gate knows what the members and the calibration used; so does a member on its own.
    for data in (path, folder / "dev.jsonl"):
        status, _, err = command("gate", made.path, "--against", large.path, "--data", data, *ANY)
        assert status == 1 and "texts were used before" in err
    member = recorded(open_artifact(made.path / "members" / "0"))
    assert member is not None and set(member.roles) == {"train", "unlabelled", "dev"}


def test_a_record_that_is_gone_makes_no_promise_and_says_what_helps(
    command: Command, members: list[Artifact], folder: Path, tmp_path: Path
):
    shutil.copytree(members[0].path, tmp_path / "small")
    small = attach(open_artifact(tmp_path / "small"), tiny_dataset().used_texts)
    (small.path / "used_texts.bin").unlink()
    status, _, err = command("cascade", small.path, members[1].path, "--data", folder, "--forecast", *LOOSE)
    assert status == 0 and "no promise: what the model was made with cannot be told" in err
    assert "(copy the artifact again with all of its files, or recreate it)" in err and "give a file" not in err
