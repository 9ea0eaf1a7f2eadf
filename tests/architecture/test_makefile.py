"""`make install` looks at the version of Python before it makes anything of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def python_that_says(version: tuple[int, int], path: Path) -> Path:
    """A Python that runs `-c CODE` under another version number, has pip, and can do nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = f"{version[0]}.{version[1]}.1"
    code = f"import sys; sys.version_info = {(*version, 1)}; sys.version = '{number} '; exec(sys.argv[1])"
    path.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = -c ]; then exec {sys.executable} -c "{code}" "$2"; fi\n'
        'if [ "$1 $2 $3" = "-m pip --version" ]; then exit 0; fi\n'
        'echo "was asked to: $*" >&2; exit 9\n'
    )
    path.chmod(0o755)
    return path


def install(folder: Path, python: Path | str) -> str:
    """What `make install` in `folder` says before it fails; it always does, for nothing can be installed here."""
    shutil.copyfile(MAKEFILE, folder / "Makefile")
    (folder / "pyproject.toml").touch()
    (folder / "constraints.txt").touch()
    done = subprocess.run(
        ["make", "install", f"PYTHON={python}"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_an_older_python_is_refused(tmp_path: Path):
    said = install(tmp_path, python_that_says((3, 10), tmp_path / "old" / "python3"))
    assert "Python 3.11 or newer is needed" in said and "is 3.10.1" in said
    assert "remedy: make install PYTHON=python3.11" in said
    assert "was asked to" not in said and not (tmp_path / ".venv").exists()


def test_an_older_environment_is_refused(tmp_path: Path):
    python_that_says((3, 9), tmp_path / ".venv" / "bin" / "python")
    said = install(tmp_path, python_that_says((3, 11), tmp_path / "new" / "python3"))
    assert "Python 3.11 or newer is needed" in said and "is 3.9.1" in said
    assert "remedy: make clean; make install PYTHON=python3.11" in said
    assert "was asked to" not in said


@pytest.mark.parametrize("version", [(3, 11), (3, 14), (4, 0)])
def test_a_newer_python_is_taken(version: tuple[int, int], tmp_path: Path):
    python = python_that_says(version, tmp_path / "new" / "python3")
    assert "was asked to: -m venv .venv" in install(tmp_path, python)
    python_that_says(version, tmp_path / ".venv" / "bin" / "python")
    assert "was asked to: -m pip install" in install(tmp_path, python)


def test_tests_that_are_named_exist():
    named = re.findall(r"\btests/[\w/.]+", MAKEFILE.read_text(encoding="utf-8"))
    assert "tests/runtime" in named
    assert [name for name in named if not (MAKEFILE.parent / name).exists()] == []
