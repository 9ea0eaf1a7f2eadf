"""Where there is no home folder to keep the compiled engine in: a warning with a remedy, and ONNX Runtime."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leanformer.artifact import Artifact
from leanformer.data.reading.hub import open_hub
from leanformer.errors import DataError, MissingCompilerError
from leanformer.export.int8 import Int8
from leanformer.runtime.engines import native_engine
from leanformer.runtime.native import build
from leanformer.runtime.predictor import LightPredictor
from tests.making.graphs import make_context, make_onnx
from tests.making.native import needs_compiler


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("int8")
    encoder, onnx = make_onnx(folder)
    return Int8(method="per_token", max_flips=1.0, max_mean_share=1.0)(
        onnx, make_context(folder, encoder), folder / "int8"
    )


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user id that the system does not know, as in many containers, and no variable that names a folder."""

    def unknown(number: int) -> pwd.struct_passwd:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "XDG_CACHE_HOME", "LEANFORMER_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LEANFORMER_COMPILE", "1")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    _forget()
    yield
    _forget()


def _forget() -> None:
    build.library.cache_clear()
    native_engine._loaded.cache_clear()


@needs_compiler
@pytest.mark.usefixtures("homeless")
def test_without_a_home_it_warns_and_onnx_runtime_answers(int8: Artifact) -> None:
    expected = LightPredictor(int8, threads=1, engine="onnxruntime").predict(["goal match"])
    model = LightPredictor(int8, threads=1)
    model.settings = model.settings.__class__(engine="native")
    with pytest.warns(UserWarning, match=r"ONNX Runtime is used.*no home folder\n  remedy: set LEANFORMER_CACHE"):
        found = model.predict(["goal match"])
    assert found == expected and model.engine == "onnxruntime"


@needs_compiler
@pytest.mark.usefixtures("homeless")
def test_the_remedy_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(MissingCompilerError, match="LEANFORMER_CACHE"):
        build.library()
    monkeypatch.setenv("LEANFORMER_CACHE", str(tmp_path / "cache"))
    assert build.cache_folder() == tmp_path / "cache" / "native"


@needs_compiler
@pytest.mark.parametrize("name", ["HOME", "XDG_CACHE_HOME", "LEANFORMER_CACHE"])
@pytest.mark.parametrize("value", ["/proc", "/dev/null"])
def test_a_home_that_cannot_be_written_is_said_the_same_way(
    homeless: None, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(MissingCompilerError, match=f"{value}.*no folder.*\n  remedy: set LEANFORMER_CACHE"):
        build.library()


@pytest.mark.usefixtures("homeless")
def test_a_tilde_without_a_home_is_named() -> None:
    pytest.importorskip("datasets")
    with pytest.raises(DataError, match=r"hub:~/data: .*no home folder here\n  remedy: write the whole path"):
        open_hub("~/data", None)


@needs_compiler
@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_a_user_id_that_nobody_has_is_told_the_same() -> None:
    """What `homeless` pretends, for real, in a process of its own."""
    code = (
        "import os; os.setgroups([]); os.setgid(54321); os.setuid(54321)\n"
        "from leanformer.errors import MissingCompilerError\n"
        "from leanformer.runtime.native import build\n"
        "try: build.cache_folder()\n"
        "except MissingCompilerError as error: print(error)"
    )
    names = ("HOME", "XDG_CACHE_HOME", "LEANFORMER_CACHE")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    warm = "import leanformer.errors, leanformer.runtime.native.build\n"  # the user below may not read our files
    done = subprocess.run([sys.executable, "-c", warm + code], env=kept, capture_output=True, text=True, check=False)
    assert "no home folder\n  remedy: set LEANFORMER_CACHE" in done.stdout, done.stderr
