"""The server runs an artifact with the engine and packs that were tuned for this machine."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import open_artifact
from leanformer.files import write_json
from leanformer.predictor import logits
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.predictor import LightPredictor
from leanformer.runtime.settings import RuntimeSettings, default_settings, machine, to_json, tuning_path
from leanformer.serve.workers.pool import start_worker
from leanformer.serve.workers.scheduler import Scheduler
from leanformer.serve.workers.tuned import open_tuned, worker_count
from tests.making.tiny import tiny_artifact, tiny_texts

CORES = allowed_cores()
TEXTS = tiny_texts(20, seed=3)[0]


@pytest.fixture
def model(tiny_onnx_artifact: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_onnx_artifact, tmp_path / "model")
    return tmp_path / "model"


def store(model: Path, settings: RuntimeSettings, goal: str = "throughput") -> Path:
    artifact = open_artifact(model)
    path = tuning_path(artifact, CORES)
    record = {"format_version": 1, "content": artifact.content_hash, "machine": machine(CORES), "goal": goal}
    write_json(path, record | {"choice": to_json(settings)})
    return path


def test_a_worker_has_the_tuned_engine_on_one_thread(model: Path):
    store(model, RuntimeSettings("openvino", CORES, lone_threads=CORES, pack_tokens=96, pinned=True))
    one = open_tuned(open_artifact(model), tuning=True)
    assert isinstance(one, LightPredictor) and one.settings == RuntimeSettings("openvino", pack_tokens=96)
    plain = open_tuned(open_artifact(model), tuning=False)
    assert isinstance(plain, LightPredictor) and plain.settings == default_settings(1)


def test_an_engine_that_is_gone_gives_way(model: Path, monkeypatch: pytest.MonkeyPatch):
    path = store(model, RuntimeSettings("openvino"))
    monkeypatch.setitem(sys.modules, "openvino", None)
    one = open_tuned(open_artifact(model), tuning=True)
    with pytest.warns(UserWarning, match=path.name):
        answers = logits(one, TEXTS)
    expected = logits(LightPredictor(open_artifact(model), threads=1, tuning=False), TEXTS)
    np.testing.assert_allclose(answers, expected, atol=1e-5, rtol=0)


def test_how_many_workers(model: Path, tiny_onnx_artifact: Path, tmp_path: Path):
    encoder = tiny_artifact(tmp_path / "encoder").path
    assert worker_count([str(tiny_onnx_artifact), str(encoder)], True) == CORES
    store(model, RuntimeSettings(workers=1))
    assert worker_count([str(model)], True) == 1
    assert worker_count([str(model)], False) == CORES
    assert worker_count([str(model), str(tiny_onnx_artifact)], True) == CORES, "the most that one of them wants"
    store(model, RuntimeSettings(workers=1), "latency")
    assert worker_count([str(model)], True) == CORES, "how one text is run says nothing of how many run at once"
    store(model, RuntimeSettings(workers=1, worker_threads=CORES))
    assert worker_count([str(model)], True) == (CORES if CORES > 1 else 1)


@pytest.mark.parametrize("content", [None, "{"])
def test_a_worker_process_starts_with_a_tuning_whole_or_broken(content: str | None, model: Path):
    path = store(model, RuntimeSettings(pack_tokens=48))
    if content is not None:
        path.write_text(content)
    artifact = open_artifact(model)

    async def play() -> np.ndarray:
        worker = await start_worker([str(model)], [artifact.content_hash])
        scheduler = Scheduler(1000, 1000)
        scheduler.add(worker)
        predictor = LightPredictor(artifact, threads=1, tuning=False)
        job = scheduler.submit(0, predictor.tokenize(TEXTS), exact=False, timeout=60)
        from leanformer.serve.workers.pool import _frame
        from leanformer.serve.workers.wire import unpack_answer

        while not job.answer.done():
            scheduler.answered(worker, unpack_answer(await _frame(worker)))
        await worker.end()
        return np.asarray(job.answer.result())

    expected = logits(LightPredictor(artifact, threads=1, tuning=False), TEXTS)
    np.testing.assert_allclose(asyncio.run(play()), expected, atol=1e-5, rtol=0)
