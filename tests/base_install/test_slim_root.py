"""The wheel in a root as slim container images have: no compiler, no shell, no home, nowhere to write but /tmp."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from benchmarks.runtime.slim_root import ARTIFACT, can_isolate, slim_root
from leanformer.artifact import Artifact
from leanformer.runtime.native import shipped
from tests.making.graphs import make_int8
from tests.making.native import needs_compiler
from tests.making.servers import Server
from tests.making.tiny import tiny_texts

pytestmark = [
    pytest.mark.base_install,
    pytest.mark.slow,
    needs_compiler,
    pytest.mark.skipif(not can_isolate(), reason="this system lets nobody mount in a namespace"),
    pytest.mark.skipif(shipped.this_platform() != "linux-x86_64", reason="the wheel is for another platform"),
]
pytest.importorskip("ziglang", reason="the extra build is not installed")

BUILD = Path(__file__).resolve().parents[2] / "hatch_build.py"
PREDICT = ("-m", "leanformer", "predict")


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make_int8(tmp_path_factory.mktemp("int8"))


@pytest.fixture(scope="module")
def slim(int8: Artifact, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What goes before the arguments of Python."""
    folder = tmp_path_factory.mktemp("slim")
    folder.chmod(0o755)
    command = [sys.executable, str(BUILD), "--only", "x86_64", "--output", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=800)
    zipfile.ZipFile(next(folder.glob("*.whl"))).extractall(folder / "wheel")
    (folder / "root").mkdir()
    return slim_root(folder / "root", folder / "wheel", int8.path)


def run(command: list[str], *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=100, env=os.environ | environment
    )


def test_the_root_is_slim(slim: list[str]):
    asked = """
import os, shutil
found = [program for program in ("cc", "c++", "gcc", "g++", "clang", "zig", "sh") if shutil.which(program)]
held = []
for place in ("/", "/wheel", "/packages", "/artifact", "/usr/lib", os.path.expanduser("~")):
    try:
        open(os.path.join(place, "written"), "w").close()
        held.append(place)
    except OSError:
        pass
open("/tmp/written", "w").close()
print([found, held, "HOME" in os.environ])
"""
    result = run(slim, "-c", asked)
    assert result.stdout == "[[], [], False]\n", result.stderr


def test_predict_runs_the_native_engine_with_the_same_bits(slim: list[str], int8: Artifact):
    texts = tiny_texts(40, 1)[0]
    there = run(slim, *PREDICT, ARTIFACT, *texts)
    here = run([sys.executable], *PREDICT, str(int8.path), *texts, **{shipped.VARIABLE: "1"})
    assert there.returncode == 0 and "engine: native" in there.stderr, there.stderr
    assert "engine: native" in here.stderr
    assert len(there.stdout.splitlines()) == len(texts) and there.stdout == here.stdout


def test_without_the_library_it_says_what_runs_instead(slim: list[str], int8: Artifact):
    """The variable asks for a library compiled there, where there is no compiler."""
    command = [part.replace("PYTHONUNBUFFERED=1", f"PYTHONUNBUFFERED=1 {shipped.VARIABLE}=1") for part in slim]
    result = run(command, *PREDICT, ARTIFACT, *tiny_texts(2, 2)[0])
    assert result.returncode == 0 and "engine: native" not in result.stderr and "compiler" in result.stderr


def test_serve_does_too(slim: list[str], int8: Artifact):
    texts = list(tiny_texts(3, 3)[0])
    with Server(f"tiny={ARTIFACT}", command=slim) as server:
        (model,) = server.ask("GET", "/info").json["models"]
        assert "native" in json.dumps(model), model
        answers = server.predict(texts).json
    told = [json.loads(line) for line in run(slim, *PREDICT, ARTIFACT, *texts).stdout.splitlines()]
    assert [answer[0]["label"] for answer in answers] == [line["label"] for line in told]
