"""The base install alone: the wheel and its base dependencies in a fresh environment, running a model there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from leanformer.recipe.library import recipe_names

pytestmark = [pytest.mark.base_install, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed; nothing of this environment leaks into it."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(argument) for argument in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", ROOT, "--no-deps", "--quiet", "-w", folder, cwd=folder)
    [path] = folder.glob("leanformer-*.whl")
    return path


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the executables of an environment that holds the wheel and its base dependencies."""
    folder = tmp_path_factory.mktemp("base") / "environment"
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    executables = folder / SCRIPTS
    run(
        executables / "python", "-m", "pip", "install", "--quiet", wheel, "-c", ROOT / "constraints.txt",
        cwd=folder.parent,
    )  # fmt: skip
    return executables


def evaluate(base: Path, code: str, cwd: Path) -> Any:
    """The JSON value that `code` prints when the base environment runs it."""
    return json.loads(run(base / "python", "-c", code, cwd=cwd))


def test_the_wheel_carries_the_recipes_and_the_type_marker(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert "leanformer/py.typed" in names
    assert recipe_names()
    assert {f"leanformer/recipes/{name}.yaml" for name in recipe_names()} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "recipes/", "docs/"))]


def test_the_base_install_has_no_training_libraries(base: Path, tmp_path: Path):
    code = (
        "import importlib.util, json; "
        "print(json.dumps([n for n in ('torch', 'transformers', 'onnx', 'datasets') if importlib.util.find_spec(n)]))"
    )
    assert evaluate(base, code, tmp_path) == []


def test_the_package_is_imported_from_the_wheel(base: Path, tmp_path: Path):
    code = (
        "import json, time; started = time.perf_counter(); import leanformer; "
        "print(json.dumps([leanformer.__file__, (time.perf_counter() - started) * 1e3]))"
    )
    origin, import_ms = evaluate(base, code, tmp_path)
    assert Path(origin).is_relative_to(base.parent)
    # Shown by `pytest -s`, never asserted: a timing is no test. benchmarks/runtime/import_time.py measures it properly.
    print(f"import leanformer: {import_ms:.1f} ms")


def test_the_recipes_are_found_in_the_wheel(base: Path, tmp_path: Path):
    code = (
        "import json; from leanformer.recipe.library import recipe_names, recipe_path; "
        "print(json.dumps({name: recipe_path(name).read_text(encoding='utf-8') for name in recipe_names()}))"
    )
    shipped = {name: (ROOT / "recipes" / f"{name}.yaml").read_text(encoding="utf-8") for name in recipe_names()}
    assert evaluate(base, code, tmp_path) == shipped


def test_techniques_are_listed(base: Path, tmp_path: Path):
    assert run(base / "leanformer", "techniques", cwd=tmp_path).strip()


def test_an_artifact_is_inspected(base: Path, tmp_path: Path, tiny_onnx_artifact: Path):
    assert "onnx" in run(base / "leanformer", "inspect", tiny_onnx_artifact, cwd=tmp_path)


def test_a_text_is_classified(base: Path, tmp_path: Path, tiny_onnx_artifact: Path):
    labels = json.loads((tiny_onnx_artifact / "leanformer.json").read_text(encoding="utf-8"))["task"]["labels"]
    printed = run(base / "leanformer", "predict", tiny_onnx_artifact, "the first text that it ever saw", cwd=tmp_path)
    assert any(label in printed for label in labels)
