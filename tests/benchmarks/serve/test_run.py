"""The load generator against a real server, and how results of sections are kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.paths import ROOT
from tests.making.servers import Server

PROGRAM = "import json, sys; from pathlib import Path; from benchmarks.serve import run; "


def load(server: Server, texts: Path, *options: str) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.serve.load",
        str(server.port),
        str(texts),
        "--seconds",
        "0.3",
        *options,
    ]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=ROOT).stdout)


@pytest.mark.slow
def test_every_request_is_counted_by_its_status(tiny_onnx_artifact: Path, tmp_path: Path):
    texts = tmp_path / "texts.txt"
    texts.write_text("a song\nrain and wind\n\nthe goal\n")
    with Server(tiny_onnx_artifact, "--workers", 1) as server:
        for options in (["--connections", "3"], ["--rate", "100"], ["--connections", "2", "--list", "2"]):
            found = load(server, texts, *options)
            assert set(found["statuses"]) == {"200"} and found["statuses"]["200"] == found["n"] > 5
            assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"]
        assert set(load(server, texts, "--options", '{"top_k": 0}')["statuses"]) == {"422"}
        assert set(load(server, texts, "--path", "/none")["statuses"]) == {"404"}


def test_a_section_takes_the_place_of_its_older_self(tmp_path: Path):
    path = tmp_path / "serve.json"
    script = PROGRAM + "run.store(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))"

    def store(section: str, *works: str) -> list[tuple[str, str]]:
        rows = json.dumps([{"section": section, "work": work} for work in works])
        subprocess.run([sys.executable, "-c", script, str(path), section, rows], check=True, timeout=120, cwd=ROOT)
        return [(row["section"], row["work"]) for row in json.loads(path.read_text())]

    assert store("overload", "a") == [("overload", "a")]
    assert store("connections", "b", "c") == [("connections", "b"), ("connections", "c"), ("overload", "a")]
    assert store("connections", "d") == [("connections", "d"), ("overload", "a")]


def test_what_ladder_has_not_made_is_said(tmp_path: Path):
    script = PROGRAM + "run.newest(Path(sys.argv[1]), 'teacher-int8-*')"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert done.returncode == 1 and "benchmarks.ladders.run" in done.stderr
    for name in ("teacher-int8-a", "teacher-int8-b"):
        (tmp_path / "compress" / "steps" / name).mkdir(parents=True)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=120, cwd=ROOT)
    assert done.returncode == 0


@pytest.mark.slow
def test_the_overload_section_holds_on_a_tiny_model(tiny_onnx_artifact: Path, tmp_path: Path):
    """The whole of a section, for a few seconds, with a worker killed: every request has an answer."""
    texts = tmp_path / "texts.txt"
    texts.write_text("a song\nrain and wind\nthe goal\n" * 20)
    script = PROGRAM + (
        "from benchmarks.serve.overload import killed; from benchmarks.serve.measure import Setting; "
        "a = Path(sys.argv[1]); s = Setting({'tiny': a}, a, Path(sys.argv[2]), [1], 1.0, 0.1, 1, 1024); "
        "print('ROW' + json.dumps(killed(s)[0]))"
    )
    command = [sys.executable, "-c", script, str(tiny_onnx_artifact), str(texts)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    row = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("ROW")).removeprefix("ROW"))
    assert row["holds"]["all_answered"] and row["holds"]["no_other_status"], json.dumps(row)
    assert row["workers_lost"] >= 1, json.dumps(row)


@pytest.mark.slow
def test_the_steady_section_tells_what_waiting_costs(tiny_onnx_artifact: Path, tmp_path: Path):
    texts = tmp_path / "texts.txt"
    texts.write_text("a song\nrain and wind\nthe goal\n" * 20)
    script = PROGRAM + (
        "from benchmarks.serve.measure import Setting; a = Path(sys.argv[1]); "
        "s = Setting({'tiny': a}, a, Path(sys.argv[2]), [1], 0.5, 0.1, 1, 1024); "
        "print('ROW' + json.dumps(run.SECTIONS['steady'](s)[0]))"
    )
    command = [sys.executable, "-c", script, str(tiny_onnx_artifact), str(texts)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    row = json.loads(done.stdout.partition("ROW")[2])
    assert row["p99_over_alone_p50"] == pytest.approx(row["p99_ms"] / row["alone_p50_ms"], abs=0.006)
    # What is due in three seconds at that rate, within the spread of its draws.
    assert row["sent"] == pytest.approx(0.7 * row["capacity"] * 3, rel=0.3) and set(row["statuses"]) == {"200"}
