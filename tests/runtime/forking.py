"""Forks of a process that holds a predictor: `python -m tests.runtime.forking CHECK ARTIFACT [ENGINE] < TEXTS`.

A process of its own: what goes wrong in a fork must not go on as a second copy of the tests.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leanformer.artifact import open_artifact
from leanformer.loading import open_predictor
from leanformer.predictor import answers
from leanformer.runtime.predictor import LightPredictor
from leanformer.runtime.settings import RuntimeSettings

_MODEL: Any = None


def in_a_child(work: Callable[[], Any], seconds: int = 60) -> Any:
    """What `work` gives as JSON in a forked process that ends as a program does; it is killed after a time."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        try:
            os.write(writing, json.dumps(work()).encode())
            os.close(writing)
            # What would run when the interpreter ends, where destructors wait for threads that are not there.
            gc.collect()
        except BaseException:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as handle:
        said = handle.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, f"the child ended with status {status}"
    return json.loads(said)


def labels(model: Any, texts: list[str]) -> list[Any]:
    return [answer.label or list(answer.tags) for answer in answers(model, texts)]


def after_a_prediction(model: Any, texts: list[str]) -> None:
    expected = [labels(model, texts), labels(model, texts)[:1]]
    assert in_a_child(lambda: [labels(model, texts), labels(model, texts[:1])]) == expected
    # A child of a child, and the parent as before.
    assert in_a_child(lambda: in_a_child(lambda: labels(model, texts))) == expected[0]
    assert labels(model, texts) == expected[0]


def with_settings(model: LightPredictor, texts: list[str]) -> None:
    other = model.with_settings(RuntimeSettings(workers=2, pack_tokens=40))
    expected = [labels(model, texts), labels(other, texts)]
    assert in_a_child(lambda: [labels(model, texts), labels(other, texts)]) == expected


def in_a_pool(model: LightPredictor, texts: list[str]) -> None:
    global _MODEL
    _MODEL = model
    expected = [_ask([text]) for text in texts]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(_ask, [[text] for text in texts]).get(timeout=60) == expected


def _ask(texts: list[str]) -> list[str | None]:
    return [answer.label for answer in _MODEL.predict(texts)]


if __name__ == "__main__":
    check, folder, *engine = sys.argv[1:]
    artifact = open_artifact(Path(folder))
    model = LightPredictor(artifact, threads=2, engine=engine[0]) if engine else open_predictor(artifact, threads=2)
    {"predict": after_a_prediction, "settings": with_settings, "pool": in_a_pool}[check](model, json.load(sys.stdin))
    print("answered")
