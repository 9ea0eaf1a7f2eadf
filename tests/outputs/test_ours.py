"""What in a folder counts as ours, and what does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from leanformer.measure.effort import Effort, recorded
from leanformer.outputs.folders import new_output
from leanformer.outputs.ours import BESIDE, is_curation, may_be_curated, theirs
from leanformer.render.card import model_card
from leanformer.render.markdown import report_markdown
from tests.making.cascades import PLAN, make_members
from tests.making.reports import make_report


@pytest.fixture
def delivered(tiny_onnx_artifact: Path, tmp_path: Path) -> Path:
    """A folder as `leanformer compress` leaves it."""
    report = make_report()
    with new_output(tmp_path / "lean") as temporary:
        shutil.copytree(tiny_onnx_artifact, temporary, dirs_exist_ok=True)
        report.write(temporary / "report.json")
        (temporary / "report.md").write_text(report_markdown(report), encoding="utf-8")
        (temporary / "README.md").write_text(model_card(open_artifact(temporary), report), encoding="utf-8")
        (temporary / "dev_rows.json").write_text('{"taken_from": "train", "rows": [1]}')
    return tmp_path / "lean"


def write_later(folder: Path) -> None:
    """What comes beside an artifact after it was delivered."""
    with recorded(Effort("teacher", "train.fine_tune"), folder, None):
        pass
    (folder / "tuning").mkdir()
    tuned = {"format_version": 1, "content": "", "machine": {}, "choice": {}}
    (folder / "tuning" / "0123456789abcdef.json").write_text(json.dumps(tuned))


@pytest.mark.parametrize("with_record", [True, False], ids=["", "of an earlier version"])
def test_what_we_put_beside_a_manifest_is_ours(with_record: bool, delivered: Path):
    write_later(delivered)
    assert open_artifact(delivered).content_hash  # the record is no part of it
    if not with_record:
        (delivered / BESIDE).unlink()
    assert theirs(delivered) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("README.md", lambda path: path.write_text(path.read_text() + "\nMy own notes.\n")),
        ("README.md", lambda path: path.write_text("# My model\n")),
        ("report.md", lambda path: path.write_text("")),
        ("report.json", lambda path: path.write_text(path.read_text() + " ")),
        ("dev_rows.json", lambda path: path.write_text('{"rows": []}')),
        ("model.onnx", lambda path: path.write_bytes(path.read_bytes()[:-1])),
        ("leanformer.json", lambda path: path.write_text(path.read_text() + " ")),
        ("beside.json", lambda path: path.write_text("[]")),
        ("effort.json", lambda path: path.write_text("mine")),
        ("training.json", lambda path: path.write_text('{"seconds": 3}')),
        ("tuning/notes.json", lambda path: path.write_text('{"choice": 1}')),
        ("tuning/0000000000000000.json", lambda path: path.write_text('{"choice": 1}')),
        ("members/0/model.onnx", lambda path: path.write_text("mine")),
        ("front/trial-001/model.onnx", lambda path: path.write_text("mine")),
        ("old/leanformer.json", lambda path: path.write_text((path.parents[1] / "leanformer.json").read_text())),
        ("trials.svg", lambda path: path.write_text("<svg></svg>")),
        ("photos", lambda path: path.symlink_to("..")),
        ("new\nline é.txt", lambda path: path.write_text("mine")),
    ],
)
def test_what_is_not_as_we_wrote_it_is_theirs(name: str, change: Callable[[Path], object], delivered: Path):
    (delivered / name).parent.mkdir(parents=True, exist_ok=True)
    change(delivered / name)
    assert theirs(delivered) == [name] or (name == "beside.json" and name in theirs(delivered))


def test_a_link_is_theirs_also_to_the_same_content(delivered: Path):
    (delivered / "tokenizer.json").rename(delivered / "theirs.json")
    (delivered / "tokenizer.json").symlink_to("theirs.json")
    assert theirs(delivered) == ["theirs.json", "tokenizer.json"]


def test_a_cascade_with_tuned_members_is_ours(tmp_path: Path):
    from leanformer.cascade.store import write_cascade

    with new_output(tmp_path / "both") as temporary:
        write_cascade(make_members(tmp_path), PLAN, temporary)
    write_later(tmp_path / "both")
    (tmp_path / "both" / "members" / "1" / "tuning").mkdir()
    shutil.copy(*(tmp_path / "both" / member / "tuning" / "0123456789abcdef.json" for member in ("", "members/1")))
    assert theirs(tmp_path / "both") == []
    (tmp_path / "both" / BESIDE).unlink()
    assert theirs(tmp_path / "both") == []
    (tmp_path / "both" / "members" / "1" / "notes.txt").write_text("mine")
    assert theirs(tmp_path / "both") == ["members/1/notes.txt"]


def test_the_folder_of_a_search_is_ours(delivered: Path, tmp_path: Path):
    record = {"format_version": 1, "name": "small", "trials": [], "spent": {}, "front": [1]}
    (delivered / BESIDE).unlink()
    with new_output(tmp_path / "found") as temporary:
        (temporary / "front").mkdir()
        delivered.rename(temporary / "front" / "trial-001")
        (temporary / "front" / "trial-001" / "recipe.yaml").write_text("about: Trial 1 of the search small: .")
        (temporary / "search.json").write_text(json.dumps(record))
        (temporary / "report.md").write_text("# The search small\n")
        (temporary / "trials.svg").write_text("<svg></svg>")
    assert theirs(tmp_path / "found") == []
    (tmp_path / "found" / BESIDE).unlink()
    assert theirs(tmp_path / "found") == []
    shutil.copytree(tmp_path / "found" / "front" / "trial-001", tmp_path / "found" / "front" / "trial-002")
    assert all(path.startswith("front/trial-002/") for path in theirs(tmp_path / "found"))
    assert "front/trial-002/model.onnx" in theirs(tmp_path / "found")


def test_an_effort_is_not_written_beside_a_model_that_stays(tiny_onnx_artifact: Path, tmp_path: Path):
    shutil.copytree(tiny_onnx_artifact, tmp_path / "lean")
    with pytest.raises(ZeroDivisionError), recorded(Effort("teacher", "train.fine_tune"), tmp_path / "lean", None):
        raise ZeroDivisionError
    assert not (tmp_path / "lean" / "effort.json").exists()


def test_the_folder_of_a_curation_is_known_by_its_report(tmp_path: Path):
    report = {"format_version": 1, "card": {}, "clusters": {}, "leaks": [], "applied": None}
    with new_output(tmp_path / "clean") as temporary:
        (temporary / "report.json").write_text(json.dumps(report))
        (temporary / "train.csv").write_text("text,label\n")
    assert is_curation(tmp_path / "clean") and theirs(tmp_path / "clean") == []
    assert not is_curation(tmp_path)
    with open(tmp_path / "clean" / "train.csv", "a") as file:
        file.write("mine,x\n")
    assert theirs(tmp_path / "clean") == ["train.csv"]
    assert may_be_curated("train.csv") and may_be_curated("clusters.jsonl") and not may_be_curated("train.csv.old")
