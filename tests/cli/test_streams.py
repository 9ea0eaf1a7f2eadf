"""Standard output and error of any encoding: no command ends for want of a letter, and JSON stays JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from leanformer.cli.app import app
from tests.making.commands import write_lines

TEXTS = ["le café était fermé", "goal “quoted” — 雨 😀", "Straße\u00a0x \\u00e9"]
ENVIRONMENTS = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "C with UTF-8": {"LC_ALL": "C"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "strict ascii": {"PYTHONIOENCODING": "ascii:strict"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "cp1252": {"PYTHONIOENCODING": "cp1252:strict"},
    "cp437": {"PYTHONIOENCODING": "cp437"},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "utf-16": {"PYTHONIOENCODING": "utf-16-le"},
}
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def run(environment: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    clean = {key: value for key, value in os.environ.items() if key not in ("LC_ALL", "LANG", "PYTHONIOENCODING")}
    return subprocess.run(
        [sys.executable, "-m", "leanformer", *map(str, arguments)],
        capture_output=True, timeout=120, env=clean | ENVIRONMENTS[environment],
    )  # fmt: skip


def encoding(environment: str) -> str:
    named = ENVIRONMENTS[environment].get("PYTHONIOENCODING", "utf-8" if "UTF-8" in environment else "ascii")
    return named.partition(":")[0]


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_accented_text(environment: str, tiny_onnx_artifact: Path):
    done = run(environment, "predict", tiny_onnx_artifact, *TEXTS)
    told = done.stderr.decode(encoding(environment))
    assert done.returncode == 0 and told.startswith("engine: ") and len(told.splitlines()) == 1
    lines = done.stdout.decode(encoding(environment)).splitlines()
    assert [json.loads(line)["text"] for line in lines] == TEXTS


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["C", "strict ascii"])
def test_a_message_with_a_path_of_other_letters(environment: str, tmp_path: Path):
    place = os.fsencode(tmp_path) + b"/caf\xc3\xa9 \xff"
    done = run(environment, "inspect", os.fsdecode(place))
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: ") and b"Traceback" not in done.stderr
    assert b"no such folder" in done.stderr


@pytest.mark.slow
def test_the_help_of_every_command():
    """In one process, into a stream of ASCII."""
    code = (
        "import contextlib, sys; from leanformer.cli.main import main\n"
        "for command in sys.argv[1:]:\n"
        "    sys.argv = ['leanformer', command, '--help']\n"
        "    with contextlib.suppress(SystemExit): main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *COMMANDS], capture_output=True, timeout=120,
        env=os.environ | {"PYTHONIOENCODING": "ascii:strict", "LC_ALL": "C", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode("ascii")
    assert shown.count("Usage") == len(COMMANDS) > 10
    assert all(f"Usage: leanformer {command}" in shown for command in COMMANDS)


@pytest.mark.slow
def test_json_of_a_report(tiny_onnx_artifact: Path, tmp_path: Path):
    """Not lines of one object each, but one that is written over many lines, with names of other letters."""
    rows = [{"text": text, "label": "music"} for text in TEXTS]
    (tmp_path / "données").mkdir()
    write_lines(tmp_path / "données" / "test.jsonl", rows)
    arguments = (
        "--data",
        os.fsencode(tmp_path / "données"),
        "--json",
        "--no-memory",
        "--rounds",
        "1",
        "--threads",
        "1",
    )
    done = run("strict ascii", "bench", tiny_onnx_artifact, *map(os.fsdecode, arguments))
    assert done.returncode == 0, done.stderr
    assert "donn\u00e9es" in json.loads(done.stdout.decode("ascii"))["title"]


def shell(line: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which `$0` is Python and "$@" are the arguments."""
    return subprocess.run(
        ["bash", "-c", line, sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
def test_a_closed_standard_input_is_said(tiny_onnx_artifact: Path):
    done = shell('"$0" -m leanformer predict "$@" --input - <&-', tiny_onnx_artifact)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: standard input is closed\n  remedy: ")


@pytest.mark.slow
def test_answers_do_not_vanish_in_a_closed_standard_output(tiny_onnx_artifact: Path, tmp_path: Path):
    done = shell('"$0" -m leanformer predict "$@" >&-', tiny_onnx_artifact, "rain")
    assert done.returncode == 1
    assert "standard output is closed" in done.stderr and "--output FILE" in done.stderr
    done = shell('"$0" -m leanformer predict "$@" >&-', tiny_onnx_artifact, "rain", "--output", tmp_path / "a.jsonl")
    assert done.returncode == 0
    assert json.loads((tmp_path / "a.jsonl").read_text())["text"] == "rain"


@pytest.mark.slow
def test_a_pipe_has_no_extension(tiny_onnx_artifact: Path):
    done = shell('printf "rain\\n" | "$0" -m leanformer predict "$@" --input /dev/stdin', tiny_onnx_artifact)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("remedy: pass lines of text on standard input: --input -")


@pytest.mark.slow
def test_a_reader_that_goes_is_no_error(tiny_onnx_artifact: Path, tmp_path: Path):
    (tmp_path / "many.txt").write_text("rain\n" * 20_000)
    line = '"$0" -m leanformer predict "$@" | head -n 1; exit ${PIPESTATUS[0]}'
    done = shell(line, tiny_onnx_artifact, "--input", tmp_path / "many.txt", "--threads", 1)
    assert done.returncode == 141
    assert done.stderr.startswith("engine: ") and len(done.stderr.splitlines()) == 1
    assert json.loads(done.stdout)["row"] == 1
