"""A request that was accepted, until it is answered or given up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from leanformer.serve.generation import Begun
from leanformer.serve.http.inputs import Query
from leanformer.serve.model import open_model
from leanformer.serve.workers.scheduler import Scheduler


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
