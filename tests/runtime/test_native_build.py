"""Compiling and loading the native engine where things go wrong: each time it is mended, or said, and answered."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import LeanformerError, MissingCompilerError
from leanformer.export.int8 import Int8
from leanformer.files import alone
from leanformer.runtime.engines import native_engine
from leanformer.runtime.native import build, compiler
from leanformer.runtime.predictor import LightPredictor
from tests.making.graphs import make_context, make_onnx
from tests.making.native import COMPILED, needs_compiler

pytestmark = needs_compiler
REAL = build.library() if COMPILED else Path()
ANSWER = "from leanformer.runtime.engines import native_engine; native_engine._loaded()"


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8")
    encoder, onnx = make_onnx(folder)
    step = Int8(method="per_token", max_flips=1.0, max_mean_share=1.0)
    return step(onnx, make_context(folder, encoder), folder / "int8").path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and an engine that is not loaded yet."""
    monkeypatch.setenv("LEANFORMER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LEANFORMER_COMPILE", "1")
    monkeypatch.setenv("LEANFORMER_LEVEL", "avx2")  # that it is the default on any CPU; nothing is run by those below
    _forget()
    yield tmp_path / "cache" / "native"
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    build.library.cache_clear()
    native_engine._loaded.cache_clear()


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that links what was compiled before, and the file where it writes down each of its calls."""
    calls = tmp_path / "calls"
    text = f"""echo "$@" >> {calls}
while [ $# -gt 0 ]; do case $1 in -o) out=$2;; -shared) shared=1; sleep ${{PAUSE:-0}};; esac; shift; done
if [ "$shared" ]; then cp {REAL} "$out"; else echo object > "$out"; fi"""
    monkeypatch.setenv("CXX", program(tmp_path / "quick", text))
    return calls


def links(calls: Path) -> int:
    return calls.read_text().count("-shared")


def in_a_process(code: str = ANSWER, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, **options)


# ---- what lies in the cache ---------------------------------------------------------------------------------------


def _other_library(path: Path) -> None:
    shutil.copyfile(next(Path(sys.base_prefix).rglob("*.so")), path)


def _of_another_cpu(path: Path) -> None:
    whole = bytearray(REAL.read_bytes())
    whole[18:20] = (183 if whole[18] != 183 else 62).to_bytes(2, "little")  # e_machine: AArch64, or x86-64
    path.write_bytes(whole)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a library\n"),
    "half": lambda path: path.write_bytes(REAL.read_bytes()[: REAL.stat().st_size // 2]),
    "one byte": lambda path: path.write_bytes(REAL.read_bytes()[:-1] + b"?"),
    "of another CPU": _of_another_cpu,
    "another library": _other_library,
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to(path.parent / "nothing")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_library_is_made_again_once(damage: str, cache: Path, quick: Path) -> None:
    path = build.library()
    DAMAGES[damage](path)
    _forget()
    native_engine._loaded()
    assert path.read_bytes() == REAL.read_bytes() and links(quick) == 2
    _forget()
    native_engine._loaded()
    assert links(quick) == 2


def test_one_that_cannot_be_loaded_though_it_is_whole(cache: Path, quick: Path, tmp_path: Path) -> None:
    """Of a system with other libraries: its bytes are as they were made, and still the loader refuses them."""
    made = build.library()
    _of_another_cpu(tmp_path / "foreign")
    digest = build._digest(tmp_path / "foreign")
    foreign = made.with_name(f"{made.stem.rpartition('-')[0]}-{digest}.so")
    made.unlink()
    (tmp_path / "foreign").rename(foreign)
    _forget()
    native_engine._loaded()
    assert not foreign.exists() and made.exists() and links(quick) == 2


def test_a_folder_under_its_name_is_left_alone_and_said(cache: Path, quick: Path, int8: Path) -> None:
    path = build.library()
    path.unlink()
    (path / "mine").mkdir(parents=True)
    _forget()
    answers_with_a_word(open_artifact(int8), "cannot be kept")
    assert (path / "mine").is_dir()


def answers_with_a_word(artifact: Artifact, word: str) -> str:
    """The default engine gives way to ONNX Runtime, with a warning that has `word` and a remedy."""
    expected = LightPredictor(artifact, threads=1, engine="onnxruntime").predict(["goal match", "rain"])
    predictor = LightPredictor(artifact, threads=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert predictor.predict(["goal match", "rain"]) == expected
    assert predictor.engine == "onnxruntime"
    (said,) = [str(warning.message) for warning in caught if "ONNX Runtime is used" in str(warning.message)]
    assert word in said and "\n  remedy: " in said
    with pytest.raises(LeanformerError, match="remedy"):
        LightPredictor(artifact, threads=1, engine="native").predict(["rain"])
    return said


def test_what_never_loads_is_said_and_not_compiled_again(
    cache: Path, int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    text = f'echo "$@" >> {calls}; while [ "$1" != -o ]; do shift; done; echo nonsense > "$2"'
    monkeypatch.setenv("CXX", program(tmp_path / "liar", text))
    said = answers_with_a_word(open_artifact(int8), "cannot be loaded")
    assert links(calls) == 2, "once, and once more"
    assert list(cache.glob("*.so")) == []
    _forget()
    answers_with_a_word(open_artifact(int8), "cannot be loaded")
    assert links(calls) == 2
    # The remedy: the mark goes, the compiler works.
    (mark,) = cache.glob("*.failed")
    assert str(mark) in said
    mark.unlink()
    program(tmp_path / "liar", f'while [ "$1" != -o ]; do shift; done; cp {REAL} "$2"')
    native_engine._loaded()


def test_storage_that_runs_nothing(cache: Path, quick: Path, int8: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = os.statvfs

    class NoExec:
        f_flag = getattr(os, "ST_NOEXEC", 8)

    monkeypatch.setattr(os, "statvfs", lambda path: NoExec() if Path(path) == cache else usual(path))
    answers_with_a_word(open_artifact(int8), "noexec")
    assert not quick.exists()


# ---- compilers that are none --------------------------------------------------------------------------------------


NO_COMPILERS = {
    '"g++': "No closing quotation", "g++ '": "No closing quotation", "g++ \\": "No escaped character",
    '""': "no program ''", "FOLDER/folder": "no program", "FOLDER/plain.txt": "no program",
    "no-such-compiler -O2": "no program", "true": "wrote nothing", "false": "status 1", "echo": "wrote nothing",
    "FOLDER/empty": "wrote nothing", "'FOLDER/no format'": "cannot be started",
    "g++ --no-such-option": "no-such-option", "sh -c 'kill -9 $$'": "status -9",
}  # fmt: skip


@pytest.mark.parametrize(("named", "word"), NO_COMPILERS.items())
def test_names_that_are_no_compiler(
    cache: Path, int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, word: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain.txt").write_text("no program")
    program(tmp_path / "empty", 'while [ "$1" != -o ]; do shift; done; : > "$2"')
    program(tmp_path / "no format", "")
    (tmp_path / "no format").write_bytes(b"\x7fELF nonsense")
    monkeypatch.setenv("CXX", named.replace("FOLDER", str(tmp_path)))
    answers_with_a_word(open_artifact(int8), word)
    assert list(cache.glob("*.so")) == [] and not list(cache.glob(".building*"))


@pytest.mark.parametrize("named", ["", "   "])
def test_an_empty_name_is_none(cache: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("CXX", named)
    assert compiler.find_compiler() in (["c++"], ["g++"], ["clang++"])


@pytest.mark.parametrize("child", ["exec sleep 100", "sleep 100", "sleep 100 & wait", "cat", "trap '' TERM; sleep 100"])
def test_a_compiler_that_hangs(
    cache: Path, int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str
) -> None:
    monkeypatch.setattr(build, "_FIRST_SECONDS", 0.2)
    monkeypatch.setenv("CXX", program(tmp_path / "slow", f"echo $$ >> {tmp_path}/groups; {child}; sleep 100"))
    answers_with_a_word(open_artifact(int8), "not compiled within")
    groups = [int(part) for part in (tmp_path / "groups").read_text().split()]
    assert len(groups) == 1, "it is remembered"
    deadline = time.monotonic() + 10  # the last of a group is reaped by whoever inherits it
    while _lives(groups[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(groups[0])


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    # Those that ended, and wait for their parent to ask how, are still counted.
    fields = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    return any(int(found) == group and state != "Z" for state, _, found, *_ in fields)


# ---- several at once, and killed ones -----------------------------------------------------------------------------


def test_of_two_processes_one_compiles(cache: Path, quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAUSE", "0.5")
    both = [in_a_process() for _ in range(3)]
    assert [process.communicate()[1] for process in both] == ["", "", ""]
    assert [process.returncode for process in both] == [0, 0, 0] and links(quick) == 1


def test_of_two_threads_one_compiles(cache: Path, quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAUSE", "0.2")
    threads = [threading.Thread(target=build.library) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert links(quick) == 1


def test_what_a_killed_one_left_is_cleared(cache: Path, quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAUSE", "1")
    killed = in_a_process()
    while not (quick.exists() and links(quick)):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert [path.name for path in cache.iterdir() if path.name.startswith(".building")]
    monkeypatch.setenv("PAUSE", "0")
    native_engine._loaded()
    assert not [path.name for path in cache.iterdir() if path.name.startswith(".")]


def test_no_more_compilers_at_once_than_cores_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "allowed_cores", lambda: 6)
    memory, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    monkeypatch.setattr(compiler, "_MEMORY", memory)
    monkeypatch.setattr(compiler, "_GROUP_LIMIT", limit)
    assert compiler.compilers_at_once() >= 1  # where nothing is told
    for free, most, expected in ((8 << 20, "max", 6), (1 << 20, "max", 2), (100_000, "max", 1), (8 << 20, 2**30, 2)):
        memory.write_text(f"MemTotal: 99999999 kB\nMemAvailable:   {free} kB\n")
        limit.write_text(f"{most}\n")
        assert compiler.compilers_at_once() == expected


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_jobs_run_so_many_at_a_time(tmp_path: Path, at_once: int) -> None:
    busy = program(
        tmp_path / "busy", f'echo 1 >> {tmp_path}/log; sleep 0.05; echo done > "$1"; echo -1 >> {tmp_path}/log'
    )
    targets = [tmp_path / str(number) for number in range(6)]
    compiler.compile_all([compiler.CompilerCall([busy, str(target)], target) for target in targets], 60, at_once)
    running, most = 0, 0
    for change in (tmp_path / "log").read_text().split():
        running += int(change)
        most = max(most, running)
    assert running == 0 and most <= at_once and all(target.exists() for target in targets)


def test_it_says_so_on_a_terminal_alone(cache: Path, quick: Path) -> None:
    outer, inner = pty.openpty()
    terminal = subprocess.run([sys.executable, "-c", ANSWER], stderr=inner, check=False)
    os.close(inner)
    said = os.read(outer, 4096).decode()
    assert terminal.returncode == 0 and "compiling the native engine" in said and said.count("\n") == 1
    shutil.rmtree(cache)
    assert in_a_process().communicate()[1] == "", "a server's log is no place for it"


def test_an_engine_that_is_there_is_not_waited_for(cache: Path, quick: Path) -> None:
    build.library()
    build.library.cache_clear()
    with alone(cache / build._LOCK):
        done = in_a_process()
        assert done.communicate(timeout=60)[1] == "" and done.returncode == 0


def test_a_mended_compiler_is_another_one(tmp_path: Path) -> None:
    path = program(tmp_path / "one", "false")
    before = compiler.identity([path])
    program(tmp_path / "one", "false # mended")
    assert compiler.identity([path]) != before


def test_failures_are_of_the_kind_that_gives_way(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "'")
    with pytest.raises(MissingCompilerError, match=r"CXX=\"'\" is no command[\s\S]*unset CXX"):
        build.library()
    monkeypatch.delenv("CXX")
    assert compiler.find_compiler()
