"""A predictor in its process: forked, pickled, copied, and dropped; its threads and its memory."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.cascade.predictor import CascadePredictor
from leanformer.cascade.store import write_cascade
from leanformer.errors import ArtifactError, DataError, LeanformerError, MissingCompilerError, MissingExtraError
from leanformer.export.int8 import Int8
from leanformer.loading import open_predictor
from leanformer.predictor import answers
from leanformer.runtime import cores
from leanformer.runtime.predictor import LightPredictor
from leanformer.runtime.settings import RuntimeSettings
from tests.making.cascades import PLAN, make_members
from tests.making.graphs import make_context, make_onnx, make_tagger
from tests.making.native import COMPILED
from tests.making.tiny import tiny_texts

TEXTS = tiny_texts(60, seed=4)[0]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
ENGINES = ("onnxruntime", "native", "openvino")
KINDS = (*ENGINES, "torch", "cascade", "tagger")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("made")
    encoder, onnx = make_onnx(folder)
    int8 = Int8(method="per_token", max_flips=1.0, max_mean_share=1.0)(
        onnx, make_context(folder, encoder), folder / "int8"
    )
    return {
        "onnxruntime": onnx, "native": int8, "openvino": onnx, "torch": encoder,
        "cascade": write_cascade(make_members(folder / "members"), PLAN, folder / "cascade"),
        "tagger": make_tagger(folder / "tagger")[2],
    }  # fmt: skip


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "native" and not COMPILED:
        pytest.skip("no C++ compiler")
    if request.param == "openvino":
        pytest.importorskip("openvino")
    return str(request.param)


@pytest.fixture
def make(kind: str, artifacts: dict[str, Artifact]) -> Callable[[], Any]:
    if kind in ENGINES:
        return partial(LightPredictor, artifacts[kind], threads=2, engine=kind)
    return partial(open_predictor, artifacts[kind], threads=2)


def answers_forked(check: str, artifact: Artifact, *engine: str) -> None:
    command = [sys.executable, "-m", "tests.runtime.forking", check, str(artifact.path), *engine]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, input=json.dumps(TEXTS), capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (0, "answered\n"), done.stderr


def labels(model: Any) -> list[Any]:
    return [answer.label or list(answer.tags) for answer in answers(model, TEXTS)]


@needs_fork
@pytest.mark.parametrize(
    "kind",
    # The cascade and the tagger are predictors of ONNX Runtime in their turn.
    [pytest.param(kind, marks=pytest.mark.slow if kind in ("cascade", "tagger") else ()) for kind in KINDS],
    indirect=True,
)
def test_a_fork_after_a_prediction_answers(kind: str, artifacts: dict[str, Artifact]) -> None:
    answers_forked("predict", artifacts[kind], *([kind] if kind in ENGINES else []))


@needs_fork
@pytest.mark.parametrize("engine", ["onnxruntime", "native"])
def test_a_forked_program_ends(artifacts: dict[str, Artifact], engine: str) -> None:
    """Also by its own way out, where all that is left of the interpreter is taken down."""
    if engine == "native" and not COMPILED:
        pytest.skip("no C++ compiler")
    code = (
        "import os, signal, sys; from leanformer.runtime.predictor import load\n"
        "model = load(sys.argv[1], threads=2, engine=sys.argv[2]); texts = ['goal match', 'rain'] * 50\n"
        "model.predict(texts); model.predict(texts[:1])\n"
        "child = os.fork()\n"
        "if child == 0: signal.alarm(60); model.predict(texts); model.predict(texts[:1]); sys.exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    command = [sys.executable, "-c", code, str(artifacts[engine].path), engine]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


@needs_fork
@pytest.mark.parametrize("check", ["pool", "settings"])
def test_what_a_process_has_goes_to_its_forks(check: str, artifacts: dict[str, Artifact]) -> None:
    """A pool of forked workers shares a model; settings of their own are forked too."""
    answers_forked(check, artifacts["onnxruntime"], "onnxruntime")


@pytest.mark.slow
@pytest.mark.parametrize("again", [lambda predictor: pickle.loads(pickle.dumps(predictor)), copy.copy, copy.deepcopy])
def test_pickled_and_copied_it_answers_the_same(make: Callable[[], Any], again: Callable[[Any], Any]) -> None:
    model = make()
    expected = answers(model, TEXTS)
    assert answers(again(model), TEXTS) == expected
    assert len(pickle.dumps(model)) < 4000, "the weights stay in their folder"


def test_what_it_was_made_with_goes_along(artifacts: dict[str, Artifact]) -> None:
    model = LightPredictor(artifacts["onnxruntime"], threads=1, exact=True, windows=3, tuning=False)
    other = pickle.loads(pickle.dumps(model))
    assert (other.threads, other.exact, other.windows, other.settings) == (1, True, 3, model.settings)
    model.read_long("truncate")
    assert model.task.overlap is None and pickle.loads(pickle.dumps(model)).task == model.task
    torch_model: Any = open_predictor(artifacts["torch"])
    torch_model.read_long("windows", 2)
    assert pickle.loads(pickle.dumps(torch_model)).task.overlap == 2
    own = model.with_settings(RuntimeSettings(workers=1, pack_tokens=77))
    assert pickle.loads(pickle.dumps(own)).settings == own.settings
    cascade = open_predictor(artifacts["cascade"], threads=1)
    assert isinstance(cascade, CascadePredictor)
    assert [member.threads for member in copy.copy(cascade).members.values()] == [1] * len(cascade.members)  # type: ignore[attr-defined]


def test_another_current_folder_does_no_harm(
    artifacts: dict[str, Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(artifacts["onnxruntime"].path.parent)
    from leanformer.runtime.predictor import load

    stored = pickle.dumps(load(artifacts["onnxruntime"].path.name, threads=1))
    monkeypatch.chdir(tmp_path)
    assert labels(pickle.loads(stored))


def test_a_folder_that_has_gone_or_changed_is_named(artifacts: dict[str, Artifact], tmp_path: Path) -> None:
    folder = shutil.copytree(artifacts["onnxruntime"].path, tmp_path / "lean")
    from leanformer.runtime.predictor import load

    stored = pickle.dumps(load(folder, threads=1))
    shutil.rmtree(folder)
    with pytest.raises(ArtifactError, match=r"lean: no such folder\n  remedy"):
        pickle.loads(stored)
    shutil.copytree(artifacts["native"].path, folder)
    with pytest.raises(ArtifactError, match=r"lean: is another model.*\n  remedy"):
        pickle.loads(stored)


def _spawned(model: Any) -> list[str]:
    return [prediction.label for prediction in model.predict(TEXTS[:3])]


@pytest.mark.slow
def test_it_goes_to_spawned_processes(artifacts: dict[str, Artifact]) -> None:
    model = LightPredictor(artifacts["onnxruntime"], threads=1)
    expected = _spawned(model)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_spawned, (model,)) == expected


@pytest.mark.parametrize(
    "error",
    [
        DataError("a problem", path="x.csv", line=3, remedy="mend it"),
        MissingExtraError("this", "train"),
        MissingCompilerError("that"),
        ArtifactError("broken"),
    ],
)
def test_errors_come_back_from_other_processes(error: LeanformerError) -> None:
    """One that cannot be unpickled would hang a pool for ever."""
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is type(error) and str(other) == str(error) and vars(other) == vars(error)


def threads_of_the_system() -> int:
    return len(os.listdir("/proc/self/task"))


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="the system does not list threads")


@pytest.mark.slow
@needs_proc
def test_workers_end_with_the_predictor(make: Callable[[], Any]) -> None:
    def once() -> None:
        model = make()
        answers(model, TEXTS)
        answers(model, TEXTS[:1])

    once()
    before = settled(threads_of_the_system)
    for _ in range(4):
        once()
    assert settled(threads_of_the_system, before) <= before


def settled(count: Callable[[], int], wanted: int = 0) -> int:
    """The count, once it is what is wanted or has not changed for a while: threads end a moment after they are told."""
    last, same = count(), 0
    for _ in range(200):
        if last <= wanted or same > 10:
            break
        time.sleep(0.02)
        now = count()
        same = same + 1 if now == last else 0
        last = now
    return last


@pytest.mark.slow
@needs_proc
def test_memory_is_flat_over_many_loads(artifacts: dict[str, Artifact]) -> None:
    code = (
        "import os, sys; from leanformer.runtime.predictor import load\n"
        "def held(): return int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE') >> 10\n"
        "found = []\n"
        "for _ in range(30): load(sys.argv[1], threads=2).predict(['goal match', 'rain'] * 50); found.append(held())\n"
        "print(found[-1] - found[9])"
    )
    for kind in ("onnxruntime", "native"):
        command = [sys.executable, "-c", code, str(artifacts[kind].path)]
        grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert grown < 4096, f"{kind}: {grown} KiB more after 20 loads"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", 1), ("3", 3), (" 2 ", 2), ("4,2", 4), ("2, 2", 2), ("64", 8), ("99999999999999999999", 8),
        ("", 8), ("0", 8), ("-1", 8), ("two", 8), ("2.5", 8), ("1e1", 8), (",4", 8), ("٣", 8), ("²", 8),
    ],
)  # fmt: skip
def test_omp_num_threads_is_the_default(monkeypatch: pytest.MonkeyPatch, value: str, expected: int) -> None:
    monkeypatch.setattr(cores, "allowed_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert cores.default_threads() == expected
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert cores.default_threads() == 8


def test_an_argument_wins_over_omp_num_threads(artifacts: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert LightPredictor(artifacts["onnxruntime"]).threads == 1
    assert LightPredictor(artifacts["onnxruntime"], threads=2).threads == 2
