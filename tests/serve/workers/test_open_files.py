"""Few open files allowed: the server asks for more, or takes fewer connections, and answers everybody."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.making.servers import Server

resource = pytest.importorskip("resource")
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "


def under(soft: int, hard: int) -> str:
    """Code that sets the limits; the test is skipped where this process may not give itself as high a hard one."""
    mine = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if mine != resource.RLIM_INFINITY and mine < hard:
        pytest.skip(f"may open {mine} files, and {hard} are needed")
    return LIMITED.format(soft=soft, hard=hard)


def serving(soft: int, hard: int) -> tuple[str, ...]:
    """A program to run in place of `leanformer`, which may open few files."""
    limited = under(soft, hard)
    return ("-c", f"{limited}import sys; sys.argv[1:1] = ['serve']; from leanformer.cli.main import main; main()")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("a song\nrain and wind\nthe goal\n")
    return path


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "room", "after"),
    [
        (256, 4096, 1024, 1024, 4096),
        (256, 512, 1024, 307, 512),
        (256, 20_000, 1024, 1024, 16_384),
        (2048, 4096, 1024, 1024, 2048),
        (256, 256, 80, 80, 256),
    ],
)
def test_the_limit_is_raised_as_far_as_it_goes(soft: int, hard: int, connections: int, room: int, after: int):
    code = under(soft, hard) + (
        "from leanformer.serve.workers.open_files import room_for; "
        f"print(room_for({connections}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == [str(room), str(after)]


def test_where_none_fits_it_is_said(tiny_onnx_artifact: Path):
    command = [sys.executable, *serving(128, 128), str(tiny_onnx_artifact), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "ulimit -n 1408" in done.stderr and "Traceback" not in done.stderr


def answered(server: Server, texts: Path, connections: int) -> set[str]:
    """The statuses of requests on so many connections, all of them open before the first is sent."""
    command = [sys.executable, "-m", "benchmarks.serve.load", str(server.port), str(texts)]
    command += ["--connections", str(connections), "--seconds", "0.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(done.stdout)
    assert sum(found["statuses"].values()) >= connections
    return set(found["statuses"])


def test_a_low_limit_that_may_be_raised_turns_nobody_away(tiny_onnx_artifact: Path, texts: Path):
    with Server(tiny_onnx_artifact, "--workers", 1, program=serving(256, 2048)) as server:
        assert answered(server, texts, 600) == {"200"}
        assert not any(line["event"] == "connections_limited" for line in server.log)


@pytest.mark.slow
def test_where_it_may_not_those_beyond_it_are_told(tiny_onnx_artifact: Path, texts: Path):
    with Server(tiny_onnx_artifact, "--workers", 1, program=serving(256, 256)) as server:
        limited = server.event("connections_limited")
        assert limited["wanted"] == 1024 and limited["connections"] == 102
        assert answered(server, texts, 102) == {"200"}
        # The connections of the load before may still be closing.
        until = time.monotonic() + 60
        while (found := answered(server, texts, 180)) == {"503"} and time.monotonic() < until:
            pass
        assert found == {"200", "503"}
