"""What Schemathesis makes of our OpenAPI description: requests by the thousand, valid and not, and their answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.making.servers import Server

pytestmark = pytest.mark.slow

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
# 503 and 504 are answers, too: where a request itself sets a deadline of a millisecond, the second is the right one.
CONFIG = """
hooks = "{hooks}"
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503", "504"]
"""


def test_schemathesis_finds_nothing(all_server: Server, tmp_path: Path):
    (tmp_path / "schemathesis.toml").write_text(CONFIG.format(hooks=HOOKS), encoding="utf-8")
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{all_server.port}/openapi.json",
        "--phases", "examples,coverage,fuzzing", "--checks", "all", "--max-examples", "100", "--seed", "13",
        "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    # In a folder of its own: it reads its configuration there, and keeps what it found.
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert all_server.ask("GET", "/ready").status == 200
