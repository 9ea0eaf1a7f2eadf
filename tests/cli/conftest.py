"""Fixtures of the tests of the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making.commands import Command, make_command, write_lines
from tests.making.tiny import LABELS, tiny_dataset


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `leanformer ...`; returns exit status, standard output and standard error."""
    return make_command(monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder of the tiny data set."""
    data = tiny_dataset()
    for split in ("train", "dev", "test"):
        part = getattr(data, split)
        rows = [{"text": text, "label": LABELS[i]} for text, i in zip(part.texts, part.labels, strict=True)]
        write_lines(tmp_path / "data" / f"{split}.jsonl", rows)
    return tmp_path / "data"
