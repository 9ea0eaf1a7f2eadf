"""`leanformer pick`: what it prints, what it delivers, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from leanformer.measure.speed import SpeedSettings
from leanformer.tune import pick as module
from tests.making.commands import Command
from tests.making.graphs import make_int8
from tests.tune.test_family import MEMBER, written


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    artifact = make_int8(folder / "made")
    (folder / "members").mkdir()
    artifact.path.rename(folder / "members" / "0")
    written(folder, replace(MEMBER, content_hash=artifact.content_hash, bytes=artifact.bytes))
    return folder


def test_the_picked_member_is_told_and_delivered(
    family: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "SPEED", SpeedSettings(rounds=1, latency_texts=8, seconds=0.01))
    status, out, err = command("pick", family, "--bytes", 1e9, "--threads", 1, "--output", tmp_path / "picked")
    assert status == 0, err
    lines = out.splitlines()
    assert lines[1].startswith("*  small") and "timing 1 members on this machine" in err
    assert lines[-2].startswith("small: the best on dev of those with at most 1,000,000,000 bytes")
    assert lines[-1].startswith(f"{tmp_path / 'picked'}: ")
    picked = open_artifact(tmp_path / "picked")
    assert picked.content_hash == open_artifact(family / "members" / "0").content_hash
    status, out, err = command("pick", family, "--max-drop", 2, "--threads", 1)
    assert status == 0 and out.endswith(f"in {family / 'members/0'}\n") and "timing" not in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--latency-ms", 1e-6), "no member keeps at most 1e-06 ms a text; the nearest, 'small', takes"),
        ((), "nothing to pick by"), (("--throughput", 0), "--throughput 0: not a bound"),
    ],
    ids=["impossible", "none", "zero"],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_a_remedy(
    options: tuple[object, ...], said: str, family: Path, command: Command, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "SPEED", SpeedSettings(rounds=1, latency_texts=8, seconds=0.01))
    status, out, err = command("pick", family, "--threads", 1, *options)
    assert status == 1 and out == "" and said in err and "\n  remedy: " in err


def test_a_folder_without_a_family_is_refused(family: Path, command: Command):
    status, _, err = command("pick", family / "members" / "0", "--latency-ms", 1)
    assert status == 1 and "no family of models: there is no family.json" in err
