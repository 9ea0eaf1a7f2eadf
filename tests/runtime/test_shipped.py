"""The library that came with the package: loaded where it is whole and fits, and never in silence where it is not."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.files import sha256_file, write_json
from leanformer.runtime import settings
from leanformer.runtime.engines import native_engine
from leanformer.runtime.native import build, compiler, levels, shipped
from leanformer.runtime.native.sources import sources_hash
from leanformer.runtime.predictor import LightPredictor
from tests.making.graphs import make_int8
from tests.making.native import COMPILED, needs_compiler

pytestmark = needs_compiler
REAL = build.library() if COMPILED else Path()
TEXTS = ["goal match", "rain", "a song about the rain"]


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make_int8(tmp_path_factory.mktemp("int8"))


def record(path: Path, **changes: str) -> None:
    told = {"platform": shipped.this_platform(), "sha256": sha256_file(path), "sources": sources_hash()}
    write_json(path.with_name(shipped.RECORD), told | {"compiler": "by hand"} | changes)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with a library, the one that was compiled here; no compiler is on the path."""
    folder = tmp_path / "library"
    folder.mkdir()
    path = folder / shipped.LIBRARY
    shutil.copyfile(REAL, path)
    record(path)
    monkeypatch.setattr(shipped, "FOLDER", folder)
    monkeypatch.setenv("LEANFORMER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(compiler.VARIABLE, raising=False)
    monkeypatch.delenv(shipped.VARIABLE, raising=False)
    monkeypatch.delenv(levels.VARIABLE, raising=False)
    monkeypatch.setattr(settings, "is_fast", lambda: True)
    _forget()
    yield path
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    build.library.cache_clear()
    native_engine._loaded.cache_clear()
    shipped._checked.cache_clear()


def loaded(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the library that is loaded, if what would be compiled here is `REAL`."""
    monkeypatch.setattr(build, "library", lambda: REAL)
    return str(build.load_library(native_engine._declare)._name)


def test_it_runs_without_compiler_and_cache(library: Path, int8: Artifact, tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LightPredictor(int8, threads=1)
        model.predict(TEXTS)
    assert model.engine == "native" and model.engine_used.remedy == ""
    assert native_engine._loaded()._name == str(library) and not (tmp_path / "cache").exists()


def test_the_one_that_came_is_taken_before_one_that_is_compiled(library: Path, monkeypatch: pytest.MonkeyPatch):
    assert loaded(library, monkeypatch) == str(library)


def test_a_variable_asks_for_one_compiled_here(library: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(shipped.VARIABLE, "1")
    assert loaded(library, monkeypatch) == str(REAL)


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


DAMAGES: dict[str, Any] = {
    "one bit": flip,
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "gone": lambda path: path.unlink(),
    "no record": lambda path: path.with_name(shipped.RECORD).write_text("{"),
    "a short record": lambda path: path.with_name(shipped.RECORD).write_text("{}"),
    "not a text": lambda path: record(path, sha256=3),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_refused_with_a_word(
    damage: str, library: Path, int8: Artifact, monkeypatch: pytest.MonkeyPatch
):
    DAMAGES[damage](library)
    with pytest.warns(UserWarning, match=r"damaged, and not used [\s\S]*remedy: pip install --force-reinstall") as said:
        assert loaded(library, monkeypatch) == str(REAL)
    assert str(library) in str(said[0].message) and len(said) == 1
    # No compiler is on the path: then it is ONNX Runtime, which says why.
    engine, why = settings.default_engine(int8)
    assert engine == "onnxruntime" and "damaged" in why.reason and "no compiler" in why.reason and why.remedy


def test_one_that_is_whole_and_cannot_be_loaded(library: Path, monkeypatch: pytest.MonkeyPatch):
    library.write_text("not a library")
    record(library)
    with pytest.warns(UserWarning, match="cannot be loaded"):
        assert loaded(library, monkeypatch) == str(REAL)


@pytest.mark.parametrize(
    ("changes", "word"), [({"platform": "linux-z80"}, "linux-z80"), ({"sources": "0" * 64}, "from other sources")]
)
def test_one_of_elsewhere_or_of_before_is_not_taken(
    library: Path, int8: Artifact, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    changes: dict[str, str], word: str,
):  # fmt: skip
    record(library, **changes)
    with caplog.at_level(logging.INFO), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loaded(library, monkeypatch) == str(REAL)
    assert word in caplog.text and "compiled here" in caplog.text
    assert word in settings.default_engine(int8)[1].reason


def test_a_package_without_one(library: Path, int8: Artifact, monkeypatch: pytest.MonkeyPatch):
    shutil.rmtree(library.parent)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loaded(library, monkeypatch) == str(REAL)
    engine, why = settings.default_engine(int8)
    assert engine == "onnxruntime" and why.reason.startswith(shipped.NONE_CAME) and "the wheel" in why.remedy


def test_with_a_compiler_it_is_compiled(library: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.rmtree(library.parent)
    assert not build.can_run()
    monkeypatch.setenv(compiler.VARIABLE, "any-name")
    assert build.can_run()
