"""A request that was accepted, until it is answered or given up."""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from leanformer.errors import LeanformerError
from leanformer.serve.generation import Begun
from leanformer.serve.http.inputs import Query
from leanformer.serve.logs import Log
from leanformer.serve.model import open_model
from leanformer.serve.service import Service
from leanformer.serve.settings import ServerSettings
from leanformer.serve.workers.jobs import WorkerBatch
from leanformer.serve.workers.scheduler import Scheduler
from leanformer.serve.workers.wire import Answer
from tests.serve.http.test_direct import Pool


def test_an_accepted_request_has_its_stages_and_can_be_dropped(tiny_onnx_artifact: Path):
    async def run() -> None:
        model, scheduler = open_model("tiny", 0, str(tiny_onnx_artifact)), Scheduler(100, 100)
        query = Query(["rain"], single=True)
        reading = model.read_now(query)
        job = scheduler.submit(0, reading.rows, exact=False, timeout=9.0)
        begun = Begun(model, query, reading, scheduler, job, 0.0, 0.25)
        answered = begun.answered(model.answer_now(np.zeros((1, 3), np.float32), reading, query))
        assert (answered.tokens, answered.seconds["tokenize"], answered.single) == (len(reading.rows[0]), 0.25, True)
        begun.drop()
        assert scheduler.jobs == scheduler.outstanding == 0
        assert job.answer.exception() is not None

    asyncio.run(run())


class HeldPool(Pool):
    """A worker that keeps what it gets until it is let go, or fails on all of it."""

    made: ClassVar[list[HeldPool]] = []

    def __init__(self, scheduler: Scheduler, **given: Any) -> None:
        super().__init__(scheduler, **given)
        self.sent: list[WorkerBatch] = []
        self.stopped, self.engines = False, [{"remedy": None}] * 2
        self.made.append(self)

    def send(self, pack: WorkerBatch) -> None:
        self.sent.append(pack)

    def answer(self, value: float | None = 0.0) -> None:
        pack = self.sent.pop(0)
        logits = None if value is None else np.full((len(pack.rows()), 3), value, np.float32)
        self.scheduler.answered(self, Answer(pack.number, 0.5, logits, "broken" if value is None else None))

    async def stop(self) -> None:
        self.stopped = True


class TwoPool(Pool):
    """A worker that answers for two models."""

    def __init__(self, scheduler: Scheduler, **given: Any) -> None:
        super().__init__(scheduler, **given)
        self.engines = [{"remedy": None}] * 2


def test_a_server_is_ready_once_each_model_has_answered_a_text(tiny_onnx_artifact: Path, other_artifact: Path):
    async def run() -> None:
        artifacts = {"one": str(tiny_onnx_artifact), "two": str(other_artifact)}
        HeldPool.made.clear()
        service = Service(ServerSettings(artifacts), Log(StringIO()), HeldPool)
        start = asyncio.create_task(service.start())
        for _ in artifacts:
            while not (HeldPool.made and HeldPool.made[0].sent):
                await asyncio.sleep(0.01)
            assert not service.ready and not start.done()
            HeldPool.made[0].answer()
        await start
        assert service.ready
        scheduler = service.generation.scheduler
        assert scheduler.queue(0).seconds_per_token > 0 and scheduler.queue(1).seconds_per_token > 0
        assert b"leanformer_pack_tokens_count" not in service.metrics.render(), "nobody asked that"
        await service.stop()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_whatever_a_reload_raises_the_server_goes_on(
    tiny_onnx_artifact: Path, other_artifact: Path, monkeypatch: pytest.MonkeyPatch
):
    async def run() -> None:
        artifacts, log = {"one": str(tiny_onnx_artifact), "two": str(other_artifact)}, StringIO()
        service = Service(ServerSettings(artifacts), Log(log), TwoPool)
        await service.start()
        with monkeypatch.context() as patch:
            patch.setattr("leanformer.serve.service.open_model", lambda *_: dict[str, Any]()["nothing"])
            assert not await service.reload()
        assert service.generation.number == 1 and "KeyError: 'nothing'" in log.getvalue()
        assert 'leanformer_reloads_total{outcome="failed"} 1.0' in service.metrics.render().decode()
        await service.stop()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_model_that_has_gone_has_no_queue_in_the_metrics(tiny_onnx_artifact: Path, other_artifact: Path):
    async def run() -> None:
        artifacts = {"one": str(tiny_onnx_artifact), "two": str(other_artifact)}
        service = Service(ServerSettings(artifacts), Log(StringIO()), TwoPool)
        await service.start()
        for names in (["one", "two"], ["one"]):
            service.gauge()
            told = service.metrics.render().decode()
            assert [name for name in ("one", "two") if f'model_queue_tokens{{model="{name}"}}' in told] == names
            artifacts.pop("two", None)
            assert await service.reload()
        await service.stop()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_model_that_cannot_answer_is_not_served(tiny_onnx_artifact: Path):
    async def run() -> None:
        HeldPool.made.clear()
        service = Service(ServerSettings({"one": str(tiny_onnx_artifact)}), Log(StringIO()), HeldPool)
        start = asyncio.create_task(service.start())
        for _ in range(2):  # it is tried again
            while not (HeldPool.made and HeldPool.made[0].sent):
                await asyncio.sleep(0.01)
            HeldPool.made[0].answer(None)
        with pytest.raises(LeanformerError, match="one: it does not answer its sample text"):
            await start
        assert HeldPool.made[0].stopped and not service.ready

    asyncio.run(asyncio.wait_for(run(), 60))
