"""Killed at any moment and started again, a search has run the trials that it would have run, and none twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from leanformer.artifact import open_artifact
from tests.e2e.dying import prepare
from tests.e2e.test_killed import moments, pytestmark, run

__all__ = ["pytestmark"]


def start(folder: Path) -> Path:
    folder.mkdir()
    prepare(folder)
    (folder / "start").rename(folder / "teacher")
    return folder


def told(folder: Path) -> list[Any]:
    record = json.loads((folder / "found" / "search.json").read_text(encoding="utf-8"))
    return [[trial[key] for key in ("trial", "params", "state", "of", "rungs")] for trial in record["trials"]]


def measured(folder: Path) -> list[Any]:
    """Of every result in the journal: trial, rung and model."""
    lines = (folder / "found.work" / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    return [
        (event["trial"], event["rung"], event["result"]["content_hash"])
        for event in events
        if event["event"] == "measured"
    ]


def front(folder: Path) -> dict[str, str]:
    return {path.name: open_artifact(path).content_hash for path in sorted((folder / "found" / "front").iterdir())}


def test_searching(tmp_path: Path):
    whole = start(tmp_path / "whole")
    changes = run(whole, "search")["changes"]
    folder = start(tmp_path / "killed")
    killed = run(folder, "search", moments(3, changes), hash_seed=2)
    assert len(killed["deaths"]) >= 3, killed
    assert told(folder) == told(whole)
    assert measured(folder) == measured(whole), "nothing lost, nothing twice"
    assert front(folder) == front(whole)
    report = json.loads((folder / "found" / "report.json").read_text(encoding="utf-8"))
    delivered = {f"trial {int(name.removeprefix('trial-'))}" for name in front(folder)}
    assert {rung["name"] for rung in report["rungs"][3:]} == delivered


def test_killed_while_the_front_is_delivered(tmp_path: Path):
    folder = start(tmp_path / "killed")
    killed = run(folder, "search", [("path", "front-"), ("path", "/.found.")], finish=False)
    assert len(killed["deaths"]) == 2, killed
    assert not (folder / "found").exists()
    before = measured(folder)
    (figures,) = (folder / "found.work").glob("front-*.json")
    stamp = figures.stat().st_mtime_ns
    run(folder, "search")
    assert measured(folder) == before and front(folder)
    assert figures.stat().st_mtime_ns == stamp, "test is read once, also by a search that was killed after it"
