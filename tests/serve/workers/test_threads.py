"""Workers as threads, without a server around them and with one."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import open_artifact
from leanformer.errors import LeanformerError
from leanformer.predictor import Predictor
from leanformer.runtime.predictor import LightPredictor
from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import ServerSettings
from leanformer.serve.workers import threads
from leanformer.serve.workers.pool import ChangedError
from leanformer.serve.workers.scheduler import Scheduler
from leanformer.serve.workers.threads import ThreadPool
from leanformer.serve.workers.wire import Ask
from leanformer.serve.workers.worker import score
from tests.making.servers import Server

ROWS = [np.arange(1, length, dtype=np.int32) for length in (3, 7, 5, 9)]


class Playing:
    """A pool of threads on one artifact, and what it said."""

    def __init__(self, folder: Path, count: int, stuck_seconds: float = 60.0) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.changes = 0
        self.scheduler = Scheduler(1000, 8)
        self.pool = ThreadPool(
            [str(folder)], [open_artifact(folder).content_hash], count, stuck_seconds, self.scheduler,
            lambda event, **fields: self.said.append((event, fields)), self._changed,
        )  # fmt: skip

    def _changed(self) -> None:
        self.changes += 1

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.said]

    def play(self, scene: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            await self.pool.start()
            try:
                await scene()
            finally:
                await self.pool.stop()

        asyncio.run(whole())


def test_threads_answer_as_the_model_does(tiny_onnx_artifact: Path, predictor: LightPredictor):
    playing = Playing(tiny_onnx_artifact, 2)

    async def scene() -> None:
        jobs = [playing.scheduler.submit(0, ROWS, exact=exact, timeout=60) for exact in (False, True) for _ in range(3)]
        answers = [await job.answer for job in jobs]
        for values in answers:
            np.testing.assert_allclose(values, predictor.infer(ROWS), atol=1e-5)
        alone = np.concatenate([predictor.infer([row]) for row in ROWS])
        assert all(np.array_equal(values, alone) for values in answers[3:])
        assert len({worker.thread.ident for worker in playing.pool.workers}) == 2
        assert playing.scheduler.engines == [predictor.engine_used.to_json()]

    playing.play(scene)
    assert playing.events == ["worker_started"] * 2
    assert not any(worker.thread.is_alive() for worker in playing.pool.workers)


def test_an_error_of_the_engine_fails_the_pack_and_not_the_thread(
    tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch
):
    def failing(predictor: Predictor, ask: Ask) -> np.ndarray:
        if ask.rows[0][0] == 66:
            raise RuntimeError("no such id")
        return score(predictor, ask)

    monkeypatch.setattr(threads, "score", failing)
    playing = Playing(tiny_onnx_artifact, 1)

    async def scene() -> None:
        bad, good = (
            playing.scheduler.submit(0, [row], exact=False, timeout=60)
            for row in (np.array([66, 2], np.int32), ROWS[0])
        )
        with pytest.raises(Refused, match="the model failed on this input"):
            await bad.answer
        assert (await good.answer).shape == (1, 3)

    playing.play(scene)
    assert playing.events == ["worker_started", "pack_failed", "pack_failed"]
    assert playing.said[1][1]["error"] == "RuntimeError: no such id"


def test_a_stuck_thread_is_replaced_and_its_work_answered_once(
    tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch
):
    stuck, late = threading.Event(), threading.Event()

    def slow(predictor: Predictor, ask: Ask) -> np.ndarray:
        if not stuck.is_set():
            stuck.set()
            assert late.wait(60)
        return score(predictor, ask)

    monkeypatch.setattr(threads, "score", slow)
    playing = Playing(tiny_onnx_artifact, 1, stuck_seconds=0.2)

    async def scene() -> None:
        (first,) = playing.pool.workers
        answer = await playing.scheduler.submit(0, ROWS[:1], exact=False, timeout=60).answer
        assert stuck.is_set() and not late.is_set() and answer.shape == (1, 3)
        (second,) = playing.pool.workers
        assert second is not first and second.predictors[0] is not first.predictors[0]
        late.set()
        await asyncio.to_thread(first.thread.join, 60)
        assert not first.thread.is_alive()
        await asyncio.sleep(0)
        assert (await playing.scheduler.submit(0, ROWS, exact=False, timeout=60).answer).shape == (4, 3)
        assert playing.scheduler.outstanding == playing.scheduler.jobs == 0

    playing.play(scene)
    assert playing.events == ["worker_started", "worker_stuck", "worker_lost", "worker_started"]
    assert playing.pool.restarts == 1


def test_another_artifact_in_the_folder_is_refused_and_told_on_replacing(
    tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch
):
    playing = Playing(tiny_onnx_artifact, 1)
    playing.pool.contents = ["another hash"]
    with pytest.raises(ChangedError, match="changed"):
        asyncio.run(playing.pool.start())
    playing = Playing(tiny_onnx_artifact, 1)
    contents = playing.pool.contents

    async def scene() -> None:
        playing.pool.contents = ["another hash"]
        playing.pool._lose(playing.pool.workers[0])
        while not playing.changes:
            await asyncio.sleep(0.01)
        playing.pool.contents = contents
        assert (await playing.scheduler.submit(0, ROWS, exact=False, timeout=60).answer).shape == (4, 3)

    playing.play(scene)
    assert playing.events[:3] == ["worker_started", "worker_lost", "worker_not_started"]
    assert playing.events[-1] == "worker_started"


def test_others_are_watched_while_one_cannot_be_replaced(tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch):
    late = threading.Event()

    def stuck(predictor: Predictor, ask: Ask) -> np.ndarray:
        assert late.wait(60)
        return score(predictor, ask)

    monkeypatch.setattr(threads, "score", stuck)
    playing = Playing(tiny_onnx_artifact, 2, stuck_seconds=0.1)

    async def scene() -> None:
        playing.pool.contents = ["another hash"]
        job = playing.scheduler.submit(0, ROWS[:1], exact=False, timeout=60)
        with pytest.raises(Refused, match="two workers in turn were lost"):
            await job.answer
        late.set()

    playing.play(scene)
    assert playing.events.count("worker_stuck") == 2 and playing.pool.workers == []


def test_what_goes_wrong_on_replacing_is_tried_again(tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch):
    playing, opened = Playing(tiny_onnx_artifact, 1), threads.open_models

    def failing(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(threads, "open_models", opened)
        raise RuntimeError("no memory")

    async def scene() -> None:
        monkeypatch.setattr(threads, "open_models", failing)
        playing.pool._lose(playing.pool.workers[0])
        assert (await playing.scheduler.submit(0, ROWS, exact=False, timeout=60).answer).shape == (4, 3)

    playing.play(scene)
    assert playing.events == ["worker_started", "worker_lost", "worker_not_started", "worker_started"]
    assert playing.said[2][1]["error"] == "a worker could not open the models: RuntimeError: no memory"


def test_a_thread_whose_answer_cannot_be_used_is_replaced(tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch):
    playing, answered = Playing(tiny_onnx_artifact, 1), Scheduler.answered

    def failing(scheduler: Scheduler, worker: Any, answer: Any) -> None:
        monkeypatch.setattr(Scheduler, "answered", answered)
        raise ValueError("of another shape")

    async def scene() -> None:
        monkeypatch.setattr(Scheduler, "answered", failing)
        assert (await playing.scheduler.submit(0, ROWS, exact=False, timeout=60).answer).shape == (4, 3)

    playing.play(scene)
    assert playing.events == ["worker_started", "worker_garbled", "worker_lost", "worker_started"]


def test_a_server_with_threads_answers_reloads_and_ends(tiny_onnx_artifact: Path, predictor: LightPredictor):
    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 2, "--isolation", "thread") as server:
        answer = server.predict(["a sunny day", "rain"], raw_scores=True, exact=True).json
        scores = [{entry["label"]: entry["score"] for entry in each} for each in answer]
        expected = np.concatenate([predictor.infer(predictor.tokenize([text])) for text in ("a sunny day", "rain")])
        labels = predictor.task.labels
        np.testing.assert_array_equal(np.float32([[each[label] for label in labels] for each in scores]), expected)
        server.process.send_signal(signal.SIGHUP)
        server.event("workers_ended", generation=1)
        assert server.predict("rain").status == 200
        assert "pid" not in server.event("worker_started", 4)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0


def test_no_other_isolation_is_accepted():
    with pytest.raises(LeanformerError, match="--isolation none: one of process, thread"):
        ServerSettings({}, isolation="none")
