"""What clients of other servers send is answered, or refused by name: text-embeddings-inference, Hugging Face."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from leanformer.serve.http.dialects import FIELDS, SWITCHES, check_switches, read_fields
from leanformer.serve.http.inputs import OPTIONS, fit, read_query
from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import RequestLimits
from leanformer.task import Task
from tests.making.servers import Server

TEXT = "rain and a storm"
LABELS = Task("classification", ("a", "b"))
SEVERAL = Task("multilabel", ("a", "b"))
SCORE = Task("regression", ())


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    # What it is given is an address on this machine.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return pytest.importorskip("huggingface_hub")


def base(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def test_the_root_answers_as_the_route_of_the_model(all_server: Server):
    for model, route, inputs in [
        (None, "/predict", TEXT),
        ("tiny", "/predict", [TEXT, "goal"]),
        ("tags", "/tag", TEXT),
        ("vectors", "/embed", TEXT),
    ]:
        body = {"inputs": inputs, "model": model}
        answer = all_server.ask("POST", "/", body)
        assert answer.status == 200, answer.body
        assert answer.json == all_server.ask("POST", route, body).json
        assert answer.headers["leanformer-model"] == (model or "tiny")
    assert all_server.ask("GET", "/").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([1], 422),
        ("rain", 422),
        ({}, 422),
        ({"inputs": TEXT, "model": "none"}, 404),
        ({"inputs": TEXT, "model": 1}, 422),
        ({"inputs": TEXT, "model": "tags", "top_k": 1}, 422),
        (b"{", 400),
    ],
)
def test_the_root_refuses_as_the_routes_do(all_server: Server, body: Any, status: int):
    assert all_server.ask("POST", "/", body).status == status
    assert all_server.ask("POST", "/", {"inputs": TEXT}, {"content-type": "text/plain"}).status == 415


def test_hugging_faces_client_takes_the_bare_address(all_server: Server, hub: Any):
    client = hub.InferenceClient(model=base(all_server))
    found = client.text_classification(TEXT)
    assert [{"label": answer.label, "score": answer.score} for answer in found] == all_server.predict(TEXT).json
    assert len(client.text_classification(TEXT, top_k=1, function_to_apply="softmax")) == 1
    raw = client.text_classification(TEXT, function_to_apply="none")
    assert {answer.label: answer.score for answer in raw} == pytest.approx(
        {answer["label"]: answer["score"] for answer in all_server.predict(TEXT, raw_scores=True).json}
    )
    with pytest.raises(hub.errors.HfHubHTTPError) as refused:
        client.text_classification(TEXT, function_to_apply="sigmoid")
    assert "function_to_apply" in refused.value.response.text


def test_hugging_faces_asynchronous_client_too(all_server: Server, hub: Any):
    client = hub.AsyncInferenceClient(model=base(all_server))
    found = asyncio.run(client.text_classification(TEXT))
    assert [answer.label for answer in found] == [answer["label"] for answer in all_server.predict(TEXT).json]


def test_hugging_faces_client_tags_at_the_bare_address(tagger_artifact: Any, hub: Any):
    with Server(f"tags={tagger_artifact}", "--workers", 1) as server:
        client = hub.InferenceClient(model=base(server))
        found = client.token_classification(TEXT, aggregation_strategy="simple")
        assert [entity.word for entity in found] == [entity["word"] for entity in server.tag(TEXT).json]
        with pytest.raises(hub.errors.HfHubHTTPError):
            client.token_classification(TEXT, aggregation_strategy="none")


def test_hugging_faces_client_gets_vectors_at_the_bare_address(embedder_artifact: Any, hub: Any):
    with Server(f"vectors={embedder_artifact}", "--workers", 1) as server:
        client = hub.InferenceClient(model=base(server))
        found = client.feature_extraction(TEXT, normalize=False, truncate=True, truncation_direction="right")
        np.testing.assert_allclose(found, server.embed(TEXT, normalize=False).json, rtol=1e-6)
        with pytest.raises(hub.errors.HfHubHTTPError):
            client.feature_extraction(TEXT, prompt_name="query")


@pytest.mark.parametrize("route", ["predict", "embed"])
def test_texts_are_cut_on_the_side_that_is_asked_for(all_server: Server, route: str):
    start, end = "goal " * 40, "storm " * 40
    ask: Any = {"predict": all_server.predict, "embed": all_server.embed}[route]

    def answer(text: str, **options: Any) -> Any:
        reply = ask(text, truncate=True, **options)
        assert reply.status == 200, reply.body
        return reply.json

    assert answer(start + end, truncation_direction="Left") == answer(end) != answer(start)
    assert answer(start + end, truncation_direction="Right") == answer(start) == answer(start + end)
    assert ask(start + end, truncation_direction="Left").status == 422, "nothing is cut unless that is asked for"


def test_switches_of_the_inference_api_change_nothing(all_server: Server):
    plain = all_server.predict(TEXT).json
    for name in SWITCHES:
        for switch in (True, False, None):
            assert all_server.predict(TEXT, options={name: switch}).json == plain
    assert all_server.predict(TEXT, options=None).json == plain
    for wrong in ([], "x", {"wait_for_model": 1}, {"wait": True}):
        with pytest.raises(Refused, match="options"):
            check_switches(wrong)
        assert all_server.predict(TEXT, options=wrong).status == 422


@pytest.mark.parametrize(
    ("route", "name", "taken", "refused"),
    [
        ("predict", "truncation_direction", ["Right", "Left", "right"], ["up", 1, True, ["Right"]]),
        ("predict", "function_to_apply", ["softmax", "sigmoid", "none"], ["relu", 0, {}]),
        ("tag", "aggregation_strategy", ["simple", "first"], ["none", "max", "average", 3]),
        ("embed", "encoding_format", ["float"], ["base64", 1]),
        ("embed", "prompt_name", [], ["query", 1]),
        ("embed", "dimensions", [], [16, "x"]),
    ],
)
def test_each_field_is_read_or_refused_by_its_name(route: str, name: str, taken: list[Any], refused: list[Any]):
    for place in ("beside", "parameters"):
        for value in [*taken, None]:
            fields = {name: value}
            read_query(
                {"inputs": TEXT, **(fields if place == "beside" else {"parameters": fields})}, RequestLimits(), route
            )
        for value in refused:
            fields = {name: value}
            with pytest.raises(Refused, match=name) as error:
                read_query(
                    {"inputs": TEXT, **(fields if place == "beside" else {"parameters": fields})},
                    RequestLimits(),
                    route,
                )
            assert error.value.status == 422


def test_a_function_is_what_the_model_does_or_refused():
    for task, function in ((LABELS, "softmax"), (SEVERAL, "sigmoid"), (SCORE, None)):
        for asked in ("softmax", "sigmoid", "none"):
            query = read_query({"inputs": TEXT, "function_to_apply": asked}, RequestLimits())
            if asked in (function, "none"):
                assert fit(query, task).raw_scores == (asked == "none")
            else:
                with pytest.raises(Refused, match="function_to_apply"):
                    fit(query, task)


def test_the_fields_of_every_route_are_described():
    assert set(FIELDS) == set(OPTIONS)
    for route in OPTIONS:
        assert not set(FIELDS[route]) & set(OPTIONS[route])
        assert read_fields(route, dict.fromkeys(FIELDS[route])) == {}
