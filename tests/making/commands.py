"""What the tests of the commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanformer.cli.main import main
from leanformer.measure import speed

Command = Callable[..., tuple[int, str, str]]
FP32_ENGINE = "engine: onnxruntime, fp32: the native engine runs int8 graphs alone\n"
"""What `predict` writes to standard error for an fp32 graph where all is well."""


def make_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """What runs `leanformer ...` in this process, and returns exit status, standard output and standard error."""

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


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def is_friendly(status: int, out: str, err: str) -> None:
    """One message for the user on standard error, nothing on standard output, no traceback."""
    assert status == 1
    assert out == ""
    assert err.startswith("error: ")
    assert "Traceback" not in err
