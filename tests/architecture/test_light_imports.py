"""The small install predicts, measures and serves: its modules reach nothing that only the extras bring.

import-linter sees imports inside functions as well, where they are allowed; here a process that has nothing of ours
imports one module and says what came along.
"""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
HEAVY_ROOMS = ("combine", "compress", "curate", "export", "finetune", "models", "train")
HEAVY = ("torch", "transformers", "onnx", "safetensors", "datasets", "sklearn", "scipy")


def light_modules() -> list[str]:
    """Dotted names of all modules outside the heavy rooms; found without importing any of them."""
    return sorted(
        name
        for name in _modules(SOURCE / "leanformer", "leanformer.")
        if name.split(".")[1] not in HEAVY_ROOMS and not name.endswith(".__main__")
    )


def _modules(folder: Path, prefix: str) -> Iterator[str]:
    for module in pkgutil.iter_modules([str(folder)]):
        yield prefix + module.name
        if module.ispkg:
            yield from _modules(folder / module.name, f"{prefix}{module.name}.")


_IMPORT_EACH = """
import contextlib, importlib, json, os, sys, traceback
for library in ("numpy", "onnxruntime", "rich.console", "tokenizers", "typer", "uvicorn", "yaml"):
    with contextlib.suppress(ImportError):
        importlib.import_module(library)  # once, so that each module costs what is its own
report = {}
for module in sys.argv[1:]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(module)
            said = list(sys.modules)
        except BaseException:
            said = traceback.format_exc()
        with os.fdopen(writing, "w") as stream:
            json.dump(said, stream)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        report[module] = json.load(stream)
    os.waitpid(child, 0)
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str] | str]:
    """For each light module what a process that imported nothing else of ours has loaded, or what went wrong."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    command = [sys.executable, "-c", _IMPORT_EACH, *light_modules()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=290)
    assert done.returncode == 0, done.stderr
    report: dict[str, list[str] | str] = json.loads(done.stdout.splitlines()[-1])
    return report


def loaded_after_import(module: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter that imported `module`."""
    code = "import importlib, json, sys; importlib.import_module(sys.argv[1]); print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code, module], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"cannot import {module} by itself:\n{done.stderr}"
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_light_modules_are_found():
    assert {"leanformer.artifact", "leanformer.recipe.library"} <= set(light_modules())


@pytest.mark.parametrize("module", light_modules())
def test_a_light_module_reaches_nothing_heavy(module: str, loaded: dict[str, list[str] | str]):
    names = loaded[module]
    assert not isinstance(names, str), f"cannot import {module} by itself:\n{names}"
    assert module in names
    heavy = {name.partition(".")[0] for name in names} & set(HEAVY)
    assert not heavy, f"importing {module} also imports {', '.join(sorted(heavy))}; import it inside the function"


def test_the_package_itself_reaches_no_library():
    loaded = loaded_after_import("leanformer")
    assert not loaded & {*HEAVY, "numpy", "onnxruntime", "tokenizers", "typer", "rich", "yaml"}


def test_a_heavy_import_would_be_seen():
    assert "numpy" in loaded_after_import("leanformer.predictor")
