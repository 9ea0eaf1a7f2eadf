"""Starts that fail: one message, what to do, and no traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest


def start(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "leanformer", "serve", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_folder_that_is_no_artifact(tmp_path: Path):
    done = start(tmp_path, "--port", 0)
    assert done.returncode == 1
    assert "not a Leanformer artifact" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken(tiny_onnx_artifact: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = start(tiny_onnx_artifact, "--port", other.getsockname()[1])
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_without_a_certificate_is_not_served_where_one_is_required(tiny_onnx_artifact: Path, tmp_path: Path):
    done = start(tiny_onnx_artifact, "--port", 0, "--require-gate")
    assert done.returncode == 1
    assert "has no certificate of the ship gate" in done.stderr and "remedy: leanformer gate" in done.stderr
    assert "Traceback" not in done.stderr
    done = start(tiny_onnx_artifact, "--port", 0, "--certificate", tmp_path / "gate.json")
    assert done.returncode == 1 and "remedy: add --require-gate" in done.stderr


@pytest.mark.parametrize("name", ["starlette", "uvicorn", "prometheus_client"])
def test_without_the_extra_it_is_said_which(name: str):
    code = f"import sys; sys.modules[{name!r}] = None; sys.argv = ['leanformer', 'serve', 'x']; " + (
        "from leanformer.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "leanformer[serve]" in done.stderr
    assert "Traceback" not in done.stderr
