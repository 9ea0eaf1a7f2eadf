"""Nothing is sent, looked up or written to the home folder unless the user asks for it, whatever does the work.

Each case runs in a process of its own with an empty home folder. What native code does is seen by strace, so these
tests are skipped where that is not installed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leanformer.runtime.native import build
from tests.making.graphs import make_context, make_onnx
from tests.making.native import needs_compiler

STRACE = shutil.which("strace")
needs_strace = pytest.mark.skipif(STRACE is None, reason="no strace")
SWITCHES = (
    "ORT_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "CI", "TF_BUILD",
    "JENKINS_URL",
)  # fmt: skip
# An address of the internet, or of its names' servers; loopback is where a server of ours is asked.
_ADDRESS = re.compile(r'sa_family=AF_INET6?, .*?inet_(?:addr|pton)\((?:AF_INET6, )?"([^"]*)"')
_OWN = ("127.", "::1", "::ffff:127.", "0.0.0.0", "::")
PREDICT = (
    "from leanformer.runtime.predictor import load; import sys; "
    "load(sys.argv[1], threads=2, engine={!r}).predict(['goal match', 'rain'] * 50)"
)


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from leanformer.export.int8 import Int8

    folder = tmp_path_factory.mktemp("int8")
    encoder, onnx = make_onnx(folder)
    context = make_context(folder, encoder)
    return Int8(method="per_token", max_flips=1.0, max_mean_share=1.0)(onnx, context, folder / "int8").path


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a new user's shell has, with none of the switches that this process or a build machine has set."""
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    # The compiled engine is the one thing that we keep; the tests' own is compiled already.
    return (
        kept | {"HOME": str(home), "LEANFORMER_CACHE": str(build.cache_folder().parent), "OMP_NUM_THREADS": "1"} | more
    )


def watched(home: Path, *command: str, **more: str) -> tuple[set[str], list[str]]:
    """Addresses that a process and its children spoke to or connected to, and the files that they left at home."""
    assert STRACE is not None
    calls = home.with_suffix(".calls")
    done = subprocess.run(
        [STRACE, "-f", "-qq", "-o", str(calls), "-e", "trace=connect,sendto,sendmsg,sendmmsg", *command],
        env=environment(home, **more), capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = set(_ADDRESS.findall(calls.read_text(encoding="utf-8", errors="replace")))
    return {match_ for match_ in found if not match_.startswith(_OWN)}, sorted(str(path) for path in home.rglob("*"))


@pytest.mark.slow
@needs_strace
@needs_compiler
@pytest.mark.parametrize("engine", ["native", "onnxruntime", "openvino"])
def test_predicting_leaves_no_trace(int8: Path, tmp_path: Path, engine: str) -> None:
    if importlib.util.find_spec(engine) is None and engine != "native":
        pytest.skip(f"no {engine}")
    assert watched(tmp_path / "home", sys.executable, "-c", PREDICT.format(engine), str(int8)) == (set(), [])


@needs_strace
@needs_compiler
@pytest.mark.slow
def test_compressing_measuring_and_searching_leave_no_trace(tmp_path: Path) -> None:
    from tests.making.commands import write_lines
    from tests.making.searches import write_space
    from tests.making.tiny import LABELS, tiny_artifact, tiny_dataset

    teacher, data = tiny_artifact(tmp_path / "teacher", seed=11).path, tiny_dataset()
    for split in ("train", "dev", "test"):
        part = getattr(data, split)
        rows = [{"text": text, "label": LABELS[i]} for text, i in zip(part.texts, part.labels, strict=True)]
        write_lines(tmp_path / "data" / f"{split}.jsonl", rows)
    given = ("--data", str(tmp_path / "data"))
    leanformer = (sys.executable, "-m", "leanformer")
    lean = str(tmp_path / "lean")
    compress = (
        *("compress", str(teacher), *given, "--recipe", "quick", "--max-drop", "100", "--rounds", "1"),
        *("--threads", "1", "--output", lean, "--allow-weak-teacher"),
    )
    assert watched(tmp_path / "home1", *leanformer, *compress) == (set(), [])
    energy = ("--energy",) if importlib.util.find_spec("codecarbon") else ()
    bench = ("bench", lean, *given, "--rounds", "1", "--threads", "1", *energy)
    assert watched(tmp_path / "home2", *leanformer, *bench) == (set(), [])
    if importlib.util.find_spec("optuna"):
        space = (
            "name: tiny\ngoals: {maximise: accuracy, minimise: bytes}\nsteps:\n"
            "  - {step: export.onnx, name: onnx}\n  - {step: export.int8, method: {choose: [per_token, dynamic]}}\n"
        )
        search = (
            *(
                "search",
                str(write_space(tmp_path / "space", space)),
                "--teacher",
                str(teacher),
                *given,
                "--trials",
                "1",
            ),
            *("--output", str(tmp_path / "found"), "--threads", "1", "--allow-weak-teacher"),
        )
        assert watched(tmp_path / "home3", *leanformer, *search) == (set(), [])


@needs_strace
@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray")
def test_a_local_ray_leaves_nothing_at_home(int8: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("goal match\nrain\n", encoding="utf-8")
    command = ("predict", str(int8), "--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out.jsonl"))
    spoken_to, left = watched(tmp_path / "home", sys.executable, "-m", "leanformer", *command, "--ray", "local")
    # Ray has no switch for asking whether it is in a cloud (docs/how-to/cluster.md).
    assert left == [] and not any("usage-stats" in address for address in spoken_to)


@needs_strace
@needs_compiler
def test_serving_leaves_no_trace(int8: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from tests.making.servers import Server\n"
        "with Server('m=' + sys.argv[1], '--workers', '1') as server:\n"
        "    assert server.predict('goal match').status == 200"
    )
    paths = os.pathsep.join([str(Path(__file__).resolve().parents[2]), *filter(None, sys.path)])
    assert watched(tmp_path / "home", sys.executable, "-c", code, str(int8), PYTHONPATH=paths) == (set(), [])


def test_the_users_own_choice_stands() -> None:
    code = f"import os, leanformer; print(*(os.environ[name] for name in {SWITCHES[:3]}))"
    kept = {name: value for name, value in os.environ.items() if name not in SWITCHES}

    def said(**more: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code], env=kept | more, capture_output=True, text=True, check=True
        ).stdout  # fmt: skip

    assert said() == "1 0 1\n"
    assert said(ORT_DISABLE_TELEMETRY="0", RAY_USAGE_STATS_ENABLED="1", HF_HUB_DISABLE_TELEMETRY="") == "0 1 \n"


@needs_compiler
def test_our_engine_alone_imports_no_other(int8: Path) -> None:
    code = (
        PREDICT.format("native")
        + "; print(*(one for one in ('onnxruntime', 'openvino', 'torch') if one in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(int8)], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_openvino_is_told_nothing_but_with_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from leanformer.runtime.engines import openvino_engine

    monkeypatch.setenv("HOME", str(tmp_path))
    assert not openvino_engine._has_agreed()
    for said, agreed in (("0", False), ("", False), ("1", True)):
        (tmp_path / "intel").mkdir(exist_ok=True)
        (tmp_path / "intel" / "openvino_telemetry").write_text(said)
        assert openvino_engine._has_agreed() is agreed
