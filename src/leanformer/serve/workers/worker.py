"""A worker process: token ids in on standard input, logits out on standard output, one thread.

The server starts it as `python -m leanformer.serve.workers.worker`. It is a process and not a thread so that a crash in
native code costs one pack and not the server, and so that its Python code never blocks the server's event loop. It sees
token ids and never a text. It ends when its input ends, so no worker outlives the server.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from leanformer.artifact import open_artifact
from leanformer.cascade.predictor import CascadePredictor
from leanformer.errors import LeanformerError
from leanformer.inputs.kinds import input_of
from leanformer.predictor import Predictor
from leanformer.serve.logs import Log, log_instead
from leanformer.serve.workers.tuned import open_tuned
from leanformer.serve.workers.wire import LENGTH, Answer, Ask, pack_answer, read_frame, unpack_ask

AUTOGROUP = Path("/proc/self/autogroup")


def score(predictor: Predictor, ask: Ask) -> np.ndarray:
    """Logits (see `Predictor.infer`) of the rows together or, if exact ones are requested, of each row alone.

    Alone, a row's logits are bit-identical whatever else was requested at the time.
    """
    if ask.exact:
        return np.concatenate([predictor.infer([row]) for row in ask.rows])
    return predictor.infer(ask.rows)


def open_models(folders: Sequence[str], *, tuning: bool) -> tuple[list[Predictor], list[str]]:
    """A warm single-threaded predictor for each artifact, and the content hashes.

    Artifacts of every format are opened here, by `leanformer.loading`.
    """
    artifacts = [open_artifact(path) for path in folders]
    predictors = [open_tuned(artifact, tuning=tuning) for artifact in artifacts]
    for predictor in predictors:
        # Sessions are created on first use; no request should have to wait for that.
        for member in predictor.members.values() if isinstance(predictor, CascadePredictor) else (predictor,):
            member.infer(member.tokenize(input_of(member.task).samples[:1]))
    return predictors, [artifact.content_hash for artifact in artifacts]


def engines_of(predictors: Sequence[Any]) -> list[dict[str, Any]]:
    """What runs each of the models (`predictor.EngineUsed` as JSON)."""
    return [predictor.engine_used.to_json() for predictor in predictors]


def yield_to_others(nice: int) -> None:
    """Make this process `nice` steps nicer than it is.

    A worker is a session of its own. Where Linux schedules sessions as groups, niceness counts only within the group,
    and the group has one of its own (sched(7), "The autogroup feature").
    """
    if not nice or not hasattr(os, "nice"):
        return
    os.nice(nice)
    with contextlib.suppress(OSError, ValueError):
        AUTOGROUP.write_text(str(min(nice, 19)), encoding="ascii")


def main() -> None:
    """Read the list of artifacts, open them, report that, and answer until the input ends."""
    # The server stops its workers by closing their input, after they have answered everything. Signals to the whole
    # group (Ctrl-C, systemd's stop) are for the server alone.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # Its standard error is the server's log.
    log_instead(Log())
    # Output of a library must not get between our frames.
    with os.fdopen(os.dup(1), "wb", buffering=0) as output:
        os.dup2(2, 1)
        serve(sys.stdin.buffer, output)


def serve(source: BinaryIO, output: BinaryIO) -> None:
    """`main` with given streams."""
    order = read_frame(source)
    if order is None:
        return
    hello: dict[str, Any]
    try:
        wanted = json.loads(order)
        yield_to_others(int(wanted.get("nice", 0)))
        predictors, contents = open_models(wanted["artifacts"], tuning=bool(wanted.get("tuning")))
        hello = {"contents": contents, "pid": os.getpid(), "engines": engines_of(predictors)}
    except (LeanformerError, OSError) as error:
        hello = {"error": str(error)}
    body = json.dumps(hello).encode()
    output.write(LENGTH.pack(len(body)) + body)
    if "error" in hello:
        return
    while (frame := read_frame(source)) is not None:
        ask = unpack_ask(frame)
        start = time.perf_counter()
        try:
            answer = Answer(ask.pack, 0.0, score(predictors[ask.model], ask))
        except Exception as error:  # any error of the engine fails this pack, not the worker
            answer = Answer(ask.pack, 0.0, None, f"{type(error).__name__}: {error}"[:500])
        frame = pack_answer(Answer(ask.pack, time.perf_counter() - start, answer.logits, answer.failure))
        view = memoryview(frame)
        while view:
            view = view[output.write(view) :]


if __name__ == "__main__":
    main()
