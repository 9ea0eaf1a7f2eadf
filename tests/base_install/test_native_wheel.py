"""The wheels that carry the native engine: what is in them, where they run, and that the bits are the same."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.files import sha256_file
from leanformer.runtime.engines import native_engine
from leanformer.runtime.engines.native_engine import NativeEngine
from leanformer.runtime.native import build, shipped
from leanformer.strict_json import read_json
from tests.making.graphs import make_int8
from tests.making.native import needs_compiler, usable_levels

pytestmark = [pytest.mark.base_install, pytest.mark.slow]
pytest.importorskip("ziglang", reason="the extra build is not installed")
elffile = pytest.importorskip("elftools.elf.elffile")

ROOT = Path(__file__).resolve().parents[2]
PLACE = "leanformer/runtime/native/library/"
MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}


def make(*arguments: object, **environment: str) -> None:
    import os

    command = [sys.executable, str(ROOT / "hatch_build.py"), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environment, timeout=800)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    make("--output", folder)
    return {kind: next(folder.glob(f"*{kind}.whl")) for kind in (*MACHINES, "any")}


def unpacked(wheel: Path, folder: Path) -> Path:
    """The folder of the library, out of a wheel."""
    zipfile.ZipFile(wheel).extractall(folder)
    return folder / PLACE


def test_their_names_and_what_is_in_them(wheels: dict[str, Path], tmp_path: Path):
    assert "none-any" in wheels["any"].name
    assert not [name for name in zipfile.ZipFile(wheels["any"]).namelist() if name.startswith(PLACE)]
    for machine in MACHINES:
        assert wheels[machine].name.endswith(f"py3-none-manylinux_2_17_{machine}.whl")
        folder = unpacked(wheels[machine], tmp_path / machine)
        record, library = read_json(folder / shipped.RECORD), folder / shipped.LIBRARY
        assert record["sha256"] == sha256_file(library) and record["platform"] == f"linux-{machine}"
        assert library.stat().st_size <= 3_000_000


@pytest.mark.parametrize("machine", MACHINES)
def test_they_need_no_newer_glibc_and_show_few_functions(machine: str, wheels: dict[str, Path], tmp_path: Path):
    with open(unpacked(wheels[machine], tmp_path) / shipped.LIBRARY, "rb") as file:
        elf: Any = elffile.ELFFile(file)
        assert elf["e_machine"] == MACHINES[machine]
        needed = [tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags() if tag["d_tag"] == "DT_NEEDED"]
        assert {name.partition(".so")[0] for name in needed} <= {
            *("libc", "libm", "libdl", "libpthread", "ld-linux-x86-64", "ld-linux-aarch64"),
        }
        versions = [
            part.name for _, parts in elf.get_section_by_name(".gnu.version_r").iter_versions() for part in parts
        ]
        numbers = [tuple(map(int, name.removeprefix("GLIBC_").split("."))) for name in versions]
        assert numbers and max(numbers) <= (2, 17)
        shown = [
            symbol.name
            for symbol in elf.get_section_by_name(".dynsym").iter_symbols()
            if symbol["st_shndx"] != "SHN_UNDEF" and symbol.name
        ]
        ngrams = {f"leanformer_ngrams_{name}" for name in ("avx2", "discard", "make", "sums")}
        assert set(shown) == {"leanformer_level", *ngrams}


def test_the_same_sources_give_the_same_bytes(wheels: dict[str, Path], tmp_path: Path):
    """Once more, in other folders, and with nothing left of the first time but the compiler's own libraries."""
    make("--output", tmp_path, "--only", "x86_64", TMPDIR=str(tmp_path), ZIG_LOCAL_CACHE_DIR=str(tmp_path / "cache"))
    again = next(tmp_path.glob("*.whl"))
    assert sha256_file(again) == sha256_file(wheels["x86_64"])


@needs_compiler
@pytest.mark.skipif(shipped.this_platform() != "linux-x86_64", reason="not the platform of that wheel")
def test_the_bits_are_those_of_the_library_compiled_here(
    wheels: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    int8 = make_int8(tmp_path)
    random = np.random.default_rng(3)
    rows = [random.integers(5, 40, random.integers(1, 31)).astype(np.int32) for _ in range(500)]
    levels = usable_levels()

    def logits() -> list[np.ndarray]:
        native_engine._loaded.cache_clear()
        shipped._checked.cache_clear()
        engines = [NativeEngine(int8.file("model.onnx"), int8.properties, level=level) for level in levels]
        return [engine.run(rows, [[index] for index in range(len(rows))]) for engine in engines]

    monkeypatch.setenv(shipped.VARIABLE, "1")
    here = logits()
    assert native_engine._loaded()._name == str(build.library())
    monkeypatch.delenv(shipped.VARIABLE)
    monkeypatch.setattr(shipped, "FOLDER", unpacked(wheels["x86_64"], tmp_path / "wheel"))
    there = logits()
    assert native_engine._loaded()._name == str(shipped.FOLDER / shipped.LIBRARY)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(here, there, strict=True))
    native_engine._loaded.cache_clear()
    shipped._checked.cache_clear()
