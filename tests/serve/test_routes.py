"""What the routes answer, asked of a real server process."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import open_artifact
from leanformer.export.int8 import Int8
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.serve.http.app import without_folders
from tests.making.graphs import make_context, make_onnx
from tests.making.native import needs_compiler
from tests.making.servers import Server
from tests.making.tiny import LABELS, tiny_texts

TEXTS = list(tiny_texts(120, seed=8)[0])


def as_array(answer: list[list[dict[str, object]]]) -> np.ndarray:
    """Scores `[texts, labels]`, in the order of the task's labels."""
    return np.array([[{score["label"]: score["score"] for score in row}[name] for name in LABELS] for row in answer])


def test_one_text_gets_a_list_of_labels_best_first(server: Server, predictor: LightPredictor):
    answer = server.predict(TEXTS[0])
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    scores = [score["score"] for score in answer.json]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    [expected] = predictor.predict(TEXTS[:1])
    assert answer.json[0]["label"] == expected.label
    assert {score["label"]: score["score"] for score in answer.json} == pytest.approx(expected.probabilities, abs=1e-5)


def test_a_list_gets_a_list_of_such_lists_in_order(server: Server, predictor: LightPredictor):
    answer = server.predict(TEXTS, raw_scores=True).json
    np.testing.assert_allclose(as_array(answer), logits(predictor, TEXTS), atol=1e-5, rtol=0)
    assert len({row.tobytes() for row in as_array(answer)}) > 60, "texts that all answer alike could not tell"


def test_a_list_of_one_is_a_list(server: Server):
    assert server.predict(TEXTS[:1]).json == [server.predict(TEXTS[0]).json]
    assert server.predict([[TEXTS[0]]]).json == server.predict(TEXTS[:1]).json


def test_answers_under_load_are_those_of_predict(server: Server, predictor: LightPredictor):
    def ask(index: int) -> np.ndarray:
        return as_array([server.predict(TEXTS[index % len(TEXTS)], raw_scores=True).json])[0]

    with ThreadPoolExecutor(24) as threads:
        answers = np.stack(list(threads.map(ask, range(2 * len(TEXTS)))))
    expected = logits(predictor, TEXTS)
    np.testing.assert_allclose(answers, np.concatenate([expected, expected]), atol=1e-5, rtol=0)


def test_exact_answers_do_not_depend_on_company(server: Server, predictor: LightPredictor):
    alone = np.concatenate([predictor.infer(predictor.tokenize([text])) for text in TEXTS])
    with ThreadPoolExecutor(8) as threads:
        together = threads.submit(server.predict, TEXTS, raw_scores=True, exact=True)
        noise = [threads.submit(server.predict, TEXTS[i:], exact=True) for i in range(0, 100, 10)]
        assert as_array(together.result().json).astype(np.float32).tobytes() == alone.tobytes()
        assert all(future.result().status == 200 for future in noise)


def test_options(server: Server):
    top = server.predict(TEXTS[:5], top_k=2).json
    whole = server.predict(TEXTS[:5]).json
    assert top == [row[:2] for row in whole]
    assert server.predict(TEXTS[:5], parameters={"top_k": 2}).json == top
    assert server.predict(TEXTS[:5], top_k=99, raw_scores=None, truncate=None, exact=None, model=None).json == whole


def test_a_text_that_is_too_long_is_refused_or_cut(server: Server, predictor: LightPredictor):
    long = "rain " * 50
    just_fits, one_more = "rain " * 30, "rain " * 31
    answer = server.predict(["short", long])
    assert answer.status == 422
    assert "inputs[1]" in answer.json["error"]
    assert "max_tokens, 32" in answer.json["error"]
    assert server.predict(just_fits).status == 200
    assert server.predict(one_more).status == 422
    cut = server.predict([long], truncate=True, raw_scores=True).json
    np.testing.assert_allclose(as_array(cut), logits(predictor, [long]), atol=1e-5)


def test_models_are_asked_by_name(server: Server, other_artifact: Path):
    other = LightPredictor(open_artifact(other_artifact), threads=1)
    answer = server.predict(TEXTS[:9], model="other", raw_scores=True)
    np.testing.assert_allclose(as_array(answer.json), logits(other, TEXTS[:9]), atol=1e-5)
    assert answer.headers["leanformer-model"] == "other"
    assert server.predict(TEXTS[:9], model="tiny").json == server.predict(TEXTS[:9]).json
    missing = server.predict("a", model="../tiny")
    assert missing.status == 404
    assert "tiny, other" in missing.json["error"]


def test_info_tells_models_and_limits(server: Server, predictor: LightPredictor):
    info = server.ask("GET", "/info").json
    assert [model["name"] for model in info["models"]] == ["tiny", "other"]
    first = info["models"][0]
    assert first["version"] == predictor.artifact.content_hash == server.predict("a").headers["leanformer-version"]
    assert first["task"] == {"kind": "classification", "labels": list(LABELS)}
    assert first["max_tokens"] == 32
    assert first["engine"] == predictor.engine_used.to_json() == server.event("models_loaded")["engines"]["tiny"]
    assert info["limits"]["texts"] == 512
    assert str(predictor.artifact.path) not in json.dumps(info), "where the files are is nobody's business"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/me/.cache/leanformer/native: others can write there", "native: others can write there"),
        ("chmod go-w /a b/native, or ~/x", "chmod go-w a b/native, or x"),
        ("int8 per_token", "int8 per_token"),
        (None, None),
    ],
)
def test_info_tells_no_folders(text: str | None, expected: str | None):
    assert without_folders(text) == expected


@needs_compiler
def test_an_engine_that_is_not_the_fastest_is_logged_and_told(tmp_path: Path):
    encoder, onnx = make_onnx(tmp_path)
    step = Int8(method="per_token", max_flips=1.0, max_mean_share=1.0)
    int8 = step(onnx, make_context(tmp_path, encoder), tmp_path / "int8").path
    settings = {"LEANFORMER_LEVEL": "generic"}
    with Server(f"tiny={int8}", "--workers", 1, environment=settings) as server:
        told = server.ask("GET", "/info").json["models"][0]["engine"]
        assert told["engine"] == "onnxruntime" and "LEANFORMER_LEVEL=generic" in told["reason"]
        assert server.event("engine_not_fastest", model="tiny", level="warning")["engine"] == told
        assert told["remedy"] == "unset LEANFORMER_LEVEL"


def test_health_and_ready(server: Server):
    assert server.ask("GET", "/health").json == {"status": "alive"}
    assert server.ask("GET", "/ready").json == {"status": "ready"}


def test_metrics_count_what_was_done(server: Server):
    def read() -> list[float]:
        return [
            server.figure(name)
            for name in (
                'leanformer_texts_total{model="tiny"}',
                'leanformer_tokens_total{model="tiny"}',
                'leanformer_stage_seconds_count{model="tiny",stage="queue"}',
                'leanformer_stage_seconds_count{model="tiny",stage="infer"}',
                'leanformer_stage_seconds_count{model="tiny",stage="tokenize"}',
                'leanformer_requests_total{route="/predict",status="422"}',
            )
        ]

    before = read()
    server.predict(["rain storm", "goal"])
    server.predict([])
    assert (np.array(read()) - before).tolist() == [2, 7, 1, 1, 1, 1]
    assert server.figure("leanformer_queue_tokens") == 0
    assert server.figure("leanformer_workers") == 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/predict", 405), ("POST", "/info", 405), ("GET", "/nothing", 404), ("GET", "/../etc/passwd", 404)],
)
def test_other_routes_and_methods(server: Server, method: str, path: str, status: int):
    answer = server.ask(method, path)
    assert answer.status == status
    assert set(answer.json) == {"error", "error_type"}


def test_each_answer_carries_its_request_id(server: Server):
    assert server.predict("a", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    made = server.predict("a", headers={"x-request-id": "no good\tone"}).headers["x-request-id"]
    assert len(made) == 32
    assert server.event("request", request_id="mine-1")["tokens"] == 3


def test_connections_are_kept(server: Server):
    connection = server.connect()
    for text in TEXTS[:3]:
        assert server.ask("POST", "/predict", {"inputs": text}, connection=connection).status == 200
        assert connection.sock is not None
    connection.close()


def test_the_description_matches_what_is_there(server: Server):
    document = server.ask("GET", "/openapi.json").json
    for path, methods in document["paths"].items():
        for method in ("get", "post"):
            given = server.ask(method.upper(), path, b"" if method == "post" else None).status
            assert (given == 405) == (method not in methods), (method, path)
    page = server.ask("GET", "/docs").body.decode()
    assert all(path in page for path in document["paths"])
    assert "http://" not in page and "https://" not in page, "the page needs nothing from elsewhere"
