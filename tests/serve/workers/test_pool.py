"""Worker processes without a server around them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvloop

from leanformer.artifact import open_artifact
from leanformer.errors import LeanformerError
from leanformer.serve.workers.pool import ChangedError, start_worker
from leanformer.serve.workers.scheduler import Scheduler
from leanformer.serve.workers.worker import AUTOGROUP


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_pack_sent_to_a_worker_that_has_died_is_kept_to_be_given_on(
    tiny_onnx_artifact: Path, loop: Callable[[], Any]
):
    async def play() -> None:
        worker = await start_worker([str(tiny_onnx_artifact)], [open_artifact(tiny_onnx_artifact).content_hash])
        scheduler = Scheduler(1000, 100)
        scheduler.add(worker)
        job = scheduler.submit(0, [np.ones(3, dtype=np.int32)], exact=False, timeout=60)
        [pack] = worker.packs.values()
        worker.kill()
        await worker.process.wait()
        for _ in range(50):  # the first writes may still find the pipe open
            await asyncio.sleep(0)
            worker.send(pack)
        assert list(worker.packs.values()) == [pack]
        scheduler.lost(worker)
        assert not job.answer.done()
        assert scheduler.waiting == 3
        await worker.end()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(play())


def test_a_worker_says_why_it_cannot_start(tmp_path: Path, tiny_onnx_artifact: Path):
    with pytest.raises(LeanformerError, match="no such folder"):
        asyncio.run(start_worker([str(tmp_path / "none")], ["x"]))
    with pytest.raises(ChangedError, match="changed"):
        asyncio.run(start_worker([str(tiny_onnx_artifact)], ["another hash"]))


@pytest.mark.parametrize("nice", [0, 7])
def test_workers_are_as_nice_as_they_are_told(tiny_onnx_artifact: Path, nice: int):
    async def play() -> None:
        content = open_artifact(tiny_onnx_artifact).content_hash
        worker = await start_worker([str(tiny_onnx_artifact)], [content], nice=nice)
        ours, its = (os.getpriority(os.PRIO_PROCESS, pid) for pid in (0, worker.process.pid))
        assert its == min(ours + nice, 19)
        if AUTOGROUP.is_file() and "nice" in (told := Path(f"/proc/{worker.process.pid}/autogroup").read_text()):
            assert told.split()[-1] == str(nice), "sessions are scheduled as groups here"
        await worker.end()

    asyncio.run(play())
