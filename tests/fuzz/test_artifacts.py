"""The fuzzer of artifacts: some hundred cases of a fixed seed, and that it sees what it is there for."""

from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from tests.fuzz import artifacts, worker
from tests.fuzz.hashes import repair
from tests.fuzz.mutations import mutate
from tests.making.native import needs_compiler
from tests.making.sanitized import needs_sanitizers
from tests.making.tiny import tiny_artifact


def test_a_case_is_the_same_each_time_and_its_hashes_are_right(tmp_path: Path):
    whole, said = tiny_artifact(tmp_path / "whole"), []
    for name in ("one", "other"):
        shutil.copytree(whole.path, tmp_path / name)
        said.append(mutate(tmp_path / name, random.Random("3 14")))
    assert said[0] == said[1]
    files = [
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())} for name in ("one", "other")
    ]
    assert files[0] == files[1]
    (tmp_path / "whole" / "tokenizer.json").write_bytes((whole.path / "tokenizer.json").read_bytes() + b"\n")
    repair(whole.path)
    open_artifact(whole.path)


@pytest.mark.parametrize(
    ("status", "out", "err", "outcome"),
    [
        (0, '{"label": "music"}', "", "answer"),
        (0, '{"score": NaN}', "", "not finite"),
        (0, "[Prediction(score=inf)]", "", "not finite"),
        (0, '{"text": "nano banana"}', "a warning", "answer"),
        (1, "", "error: x: broken\n  remedy: mend it\n", "error"),
        (1, "", "error: x: broken\n", "no remedy"),
        (0, "", "Traceback (most recent call last):\nKeyError: 1", "traceback"),
        (7, "", "", "status"),
    ],
)
def test_outcomes_are_told_apart(status: int, out: str, err: str, outcome: str):
    assert worker._judged(status, out, err)["outcome"] == outcome


def test_a_traceback_and_a_process_that_dies_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(folder: str) -> None:
        raise KeyError(folder)

    monkeypatch.setitem(worker._CALLS, "broken", broken)
    assert worker.run(["broken", "x"])["outcome"] == "traceback"
    dying = tmp_path / "dying"
    dying.write_text("#!/bin/sh\nread line\nkill -SEGV $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    asked = artifacts.Worker(None)
    assert [reply["outcome"] for reply in asked.ask([["inspect", "x"]])] == ["crash"]
    asked.stop()


@pytest.mark.slow
def test_some_hundred_mutated_artifacts(tmp_path: Path):
    summary = artifacts.fuzz(400, 1, tmp_path, seconds=60, seldom=0.01)
    assert summary.findings == [], json.dumps(summary.findings, indent=1)
    assert summary.cases >= 5


@pytest.mark.slow
@needs_compiler
@needs_sanitizers
def test_some_hundred_mutated_graphs_in_the_sanitized_engine(tmp_path: Path):
    summary = artifacts.fuzz(400, 1, tmp_path, seconds=60, sanitized=True)
    assert summary.findings == [], json.dumps(summary.findings, indent=1)
    assert summary.cases >= 5
