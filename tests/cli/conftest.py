"""Fixtures of the tests of the commands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from leanformer.cli.main import main
from leanformer.measure import speed
from tests.cli.calling import Command, write_lines
from tests.tiny import LABELS, tiny_dataset


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `leanformer ...`; returns exit status, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["leanformer", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "300")
        monkeypatch.setattr(speed, "_SETTLE_SECONDS", 0)
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder of the tiny data set."""
    data = tiny_dataset()
    for split in ("train", "dev", "test"):
        part = getattr(data, split)
        rows = [{"text": text, "label": LABELS[i]} for text, i in zip(part.texts, part.labels, strict=True)]
        write_lines(tmp_path / "data" / f"{split}.jsonl", rows)
    return tmp_path / "data"
