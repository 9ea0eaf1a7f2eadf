"""The example with Ray actors as workers, on a Ray of its own on this machine: answers, and a lost worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from tests.making.servers import Server
from tests.serve.test_routes import TEXTS, as_array
from tests.serve.test_tag import told

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "deploy" / "ray_actors.py"


@pytest.fixture(scope="module")
def on_ray(tiny_onnx_artifact: Path, tagger_artifact: Path) -> Iterator[Server]:
    program, environment = (str(EXAMPLE),), {"RAY_USAGE_STATS_ENABLED": "0"}
    folders = (f"tiny={tiny_onnx_artifact}", f"tags={tagger_artifact}")
    with Server(*folders, "--replicas", 2, program=program, environment=environment) as one:
        yield one


def test_answers_are_those_of_predict(on_ray: Server, predictor: LightPredictor, tagger: LightPredictor):
    expected = logits(predictor, TEXTS)
    np.testing.assert_allclose(as_array(on_ray.predict(TEXTS, raw_scores=True).json), expected, atol=1e-5, rtol=0)
    assert on_ray.tag(TEXTS).json == [told(prediction) for prediction in tagger.predict(TEXTS)]
    assert on_ray.ask("GET", "/info").json["workers"] == 2
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda text: on_ray.predict(text, raw_scores=True).json, TEXTS))
    np.testing.assert_allclose(as_array(answers), expected, atol=1e-5, rtol=0)


def test_a_lost_worker_costs_no_answer(on_ray: Server, predictor: LightPredictor):
    victim = on_ray.workers[0]
    with on_ray.frozen(), ThreadPoolExecutor(1) as threads:
        asked = threads.submit(on_ray.predict, TEXTS, raw_scores=True)
        on_ray.until(lambda: on_ray.figure("leanformer_queue_requests") == 1)
        os.kill(victim, signal.SIGKILL)
        on_ray.event("worker_lost")
        for pid in on_ray.workers:
            if pid != victim:
                os.kill(pid, signal.SIGCONT)
        answer = asked.result()
    assert answer.status == 200
    np.testing.assert_allclose(as_array(answer.json), logits(predictor, TEXTS), atol=1e-5, rtol=0)
    on_ray.event("worker_started", count=3)
    on_ray.until(lambda: on_ray.figure("leanformer_workers") == 2)
    assert on_ray.predict("rain").status == 200
