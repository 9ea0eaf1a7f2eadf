"""What `leanformer tune` stored is used on this machine, on no other, and never breaks predicting."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import ArtifactError, MissingExtraError
from leanformer.files import write_json
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.runtime import settings as tuning
from leanformer.runtime.predictor import ENGINES, LightPredictor, load
from leanformer.runtime.settings import RuntimeSettings, default_settings, machine, read_tuning, to_json, tuning_path
from tests.making.tiny import tiny_texts

TEXTS = tiny_texts(60, seed=4)[0]
CHOSEN = RuntimeSettings(workers=1, worker_threads=2, lone_threads=1, pack_tokens=77)


@pytest.fixture
def artifact(tiny_onnx_artifact: Path, tmp_path: Path) -> Artifact:
    shutil.copytree(tiny_onnx_artifact, tmp_path / "model")
    return open_artifact(tmp_path / "model")


def store(artifact: Artifact, cores: int = 2, settings: RuntimeSettings = CHOSEN, **changes: Any) -> Path:
    path = tuning_path(artifact, cores)
    record = {
        "format_version": 1, "content": artifact.content_hash, "machine": machine(cores), "goal": "throughput",
        "choice": to_json(settings),
    }  # fmt: skip
    write_json(path, record | changes)
    return path


def test_the_choice_is_used_and_no_part_of_the_content(artifact: Artifact):
    store(artifact)
    assert open_artifact(artifact.path).content_hash == artifact.content_hash
    for predictor in (
        load(artifact.path, threads=2),
        LightPredictor(artifact, threads=2),
        open_predictor(artifact, threads=2),
    ):
        assert isinstance(predictor, LightPredictor) and predictor.settings == CHOSEN and predictor.tuning is not None
    expected = logits(LightPredictor(artifact, threads=1, tuning=False), TEXTS)
    np.testing.assert_allclose(logits(LightPredictor(artifact, threads=2), TEXTS), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "options", [{"engine": "onnxruntime"}, {"pack_tokens": 64}, {"workers": 1}, {"exact": True}, {"tuning": False}]
)
def test_what_is_asked_for_wins(options: dict[str, Any], artifact: Artifact):
    store(artifact)
    one = LightPredictor(artifact, threads=2, **options)
    assert one.tuning is None
    default = default_settings(2)
    assert one.settings == replace(default, **{k: v for k, v in options.items() if k not in ("exact", "tuning")})


def other_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "fingerprint", lambda cores: whole(cores) | {"versions": {"onnxruntime": "0.1"}})


def other_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "fingerprint", lambda cores: whole(cores) | {"cpu": "Z80"})


whole = tuning.fingerprint


@pytest.mark.parametrize("change", [other_versions, other_cpu, None])
def test_another_machine_is_silently_the_default(change: Any, artifact: Artifact, monkeypatch: pytest.MonkeyPatch):
    store(artifact)
    if change is not None:
        change(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cores = 2 if change is not None else 3  # another number of cores is another machine
        one = LightPredictor(artifact, threads=cores)
    assert one.tuning is None and one.settings == default_settings(cores)


def test_what_the_key_does_not_depend_on(artifact: Artifact, monkeypatch: pytest.MonkeyPatch):
    here = tuning_path(artifact, 2)
    changed = {"memory_bytes": 1, "python": "4.0", "threads": 9}
    versions = whole(2)["versions"] | {"torch": "0.0", "transformers": "0.0"}
    monkeypatch.setattr(tuning, "fingerprint", lambda cores: whole(cores) | changed | {"versions": versions})
    assert tuning_path(artifact, 2) == here != tuning_path(artifact, 1)


def choice(**changes: Any) -> dict[str, Any]:
    return {"choice": to_json(CHOSEN) | changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format_version": 2}, "format version 1"),
        ({"content": "0" * 64}, "other weights"),
        ({"machine": {"cpu": "Z80"}}, "another machine"),
        ({"goal": "glory"}, "goal"),
        ({"goal": ["throughput"]}, "goal"),
        ({"choice": None}, "other fields"),
        ({"choice": {"engine": "onnxruntime"}}, "other fields"),
        (choice(surprise=1), "other fields"),
        (choice(engine="steam"), "steam"),
        (choice(engine=["onnxruntime"]), "not known here"),
        (choice(workers=0), "workers is 0"),
        (choice(workers=True), "workers is True"),
        (choice(workers=10**9), "workers is 1000000000"),
        (choice(workers=2, worker_threads=2), "could run"),
        (choice(lone_threads="2"), "lone_threads is '2'"),
        (choice(pack_tokens=0), "pack_tokens is 0"),
        (choice(pack_tokens=1e3), "pack_tokens is 1000.0"),
        (choice(pinned=None), "could run"),
    ],
)
def test_a_file_that_cannot_be_meant_is_passed_over_with_its_name(
    changes: dict[str, Any], said: str, artifact: Artifact
):
    path = store(artifact, **changes)
    with pytest.warns(UserWarning, match=said) as caught:
        one = LightPredictor(artifact, threads=2)
    assert one.tuning is None and one.settings == default_settings(2)
    message = str(caught[0].message)
    assert str(path) in message and "leanformer tune" in message
    assert len(one.predict(TEXTS[:3])) == 3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b" " * (1 << 21)])
def test_a_broken_file_is_passed_over(content: bytes, artifact: Artifact):
    path = store(artifact)
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=path.name):
        assert read_tuning(artifact, 2, ENGINES) is None


def test_a_folder_of_that_name_is_passed_over(artifact: Artifact):
    tuning_path(artifact, 2).mkdir(parents=True)
    with pytest.warns(UserWarning, match="not used"):
        assert LightPredictor(artifact, threads=2).tuning is None


def test_an_engine_that_is_gone_gives_way_to_the_default(artifact: Artifact, monkeypatch: pytest.MonkeyPatch):
    store(artifact, settings=replace(CHOSEN, engine="openvino", worker_threads=1, workers=2))
    monkeypatch.setitem(sys.modules, "openvino", None)
    one = LightPredictor(artifact, threads=2)
    assert one.engine == "openvino"
    with pytest.warns(UserWarning, match="does not run here any more"):
        answers = logits(one, TEXTS)
    assert one.settings == default_settings(2)
    expected = logits(LightPredictor(artifact, threads=1, tuning=False), TEXTS)
    np.testing.assert_allclose(answers, expected, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("workers", "worker_threads"), [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("pinned", [False, True])
def test_answers_are_the_same_however_it_is_set(
    engine: str, workers: int, worker_threads: int, pinned: bool, artifact: Artifact
):
    base = LightPredictor(artifact, threads=1, tuning=False)
    settings = RuntimeSettings(engine, workers, worker_threads, lone_threads=2, pack_tokens=64, pinned=pinned)
    one = base.with_settings(settings)
    try:
        ours = logits(one, TEXTS)
    except (ArtifactError, MissingExtraError) as error:
        pytest.skip(f"{engine}: {error}")
    np.testing.assert_allclose(ours, logits(base, TEXTS), atol=1e-5, rtol=0)
    np.testing.assert_allclose(logits(one, TEXTS[:1]), logits(base, TEXTS[:1]), atol=1e-5, rtol=0)
    assert base.settings == default_settings(1), "the one it came from stays as it was"


def test_graphs_are_shared_between_settings(artifact: Artifact):
    base = LightPredictor(artifact, threads=2, tuning=False)
    logits(base, TEXTS)
    other = base.with_settings(replace(base.settings, pack_tokens=40))
    logits(other, TEXTS)
    assert len(base._engines) == 1 and other._engines is base._engines
    assert other._workers is not base._workers


@pytest.mark.parametrize(("threads", "sessions"), [(1, 1), (2, 2)])
def test_workers_of_several_threads_have_sessions_of_their_own(threads: int, sessions: int, artifact: Artifact):
    """Threads of one session serve all who call it: two workers would share those of one."""
    base = LightPredictor(artifact, threads=4, tuning=False)
    one = base.with_settings(RuntimeSettings(workers=2, worker_threads=threads))
    barrier, seen = threading.Barrier(2, timeout=20), set()

    def look(_: int) -> None:
        seen.add(id(one._worker_engine))
        barrier.wait()

    one._workers.map(look, range(2))
    assert len(seen) == sessions


def test_busy_cores_leave_one_text_to_one_thread(artifact: Artifact):
    one = LightPredictor(artifact, threads=2, tuning=False)
    for free, threads in ((True, 2), (False, 1)):
        one.__dict__["_free"] = lambda wanted, free=free: free
        assert one._lone is one._open(threads)
    assert json.loads(json.dumps(to_json(one.settings))) == to_json(one.settings)
