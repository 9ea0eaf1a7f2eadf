"""Entities over HTTP: those of `predict`, at places that are exact whatever the text is made of."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.answers.forms import to_predictions
from leanformer.answers.prediction import Prediction
from leanformer.predictor import answers
from leanformer.runtime.predictor import LightPredictor
from leanformer.tagging.windows import to_words
from leanformer.tagging.words import as_sentence
from tests.making.servers import Server
from tests.making.tagged import tagged_sentences

WORDS = [words for words, _ in tagged_sentences(60, seed=9)]
TEXTS = [" ".join(words) for words in WORDS]
# What offsets stumble over: letters of two UTF-16 units, marks that combine, a no-break space, lines, tabs, nothing
# but marks, right to left, no spaces at all, and a text of many windows.
ODD = [
    "\U0001f3b8\U0001f3b8 the song\U0001f468\u200d\U0001f469\u200d\U0001f467 band, guitar!",
    "cafe\u0301 song\u00a0band\tgoal\r\n match\n\n  team ",
    "(song) \u201cgoal\u201d ... drum-drum's",
    "the song's drum\u2019s l'album song/goal don't \U0001f3b8's",
    "!!! ---",
    "\u0634\u0639\u0631 song \u05e9\u05d9\u05e8",
    "\u6771\u4eac\u3067song\u3092",
    "\u0000 song \u200b",
    "song goal " * 60,
]


def told(one: Prediction) -> list[dict[str, Any]]:
    """What should be answered for it; probabilities to the runtime's bound."""
    return [
        {
            "entity_group": span.label, "score": pytest.approx(span.probability, abs=1e-5), "word": span.text,
            "start": span.start, "end": span.end,
        }
        for span in one.spans or ()
    ]  # fmt: skip


@pytest.mark.slow
def test_spans_are_those_of_predict(tag_server: Server, tagger: LightPredictor):
    questions = [*TEXTS, *ODD]
    answer = tag_server.tag(questions)
    assert answer.status == 200
    assert answer.headers["leanformer-model"] == "tags", "the first that tags answers requests that name none"
    expected = [told(prediction) for prediction in tagger.predict(questions)]
    assert answer.json == expected
    assert sum(map(len, expected)) > 60 and len({span["entity_group"] for row in expected for span in row}) == 2
    assert tag_server.tag(TEXTS[0]).json == expected[0], "one text gets one list"
    assert tag_server.tag(TEXTS[:1], model="tags", exact=None, parameters=None).json == expected[:1]


def test_places_count_the_characters_of_the_text_as_it_was_given(tag_server: Server):
    found = tag_server.tag(ODD).json
    for text, spans in zip(ODD, found, strict=True):
        assert all(text[span["start"] : span["end"]] == span["word"] for span in spans)
        starts = [span["start"] for span in spans]
        assert starts == sorted(starts)
    assert max(span["end"] for span in found[-1]) > 500, "a long text is read to its end"


def test_words_may_be_given(tag_server: Server, tagger: LightPredictor):
    answer = tag_server.tag([*WORDS[:20], "song"]).json
    assert answer == [told(answer) for answer in answers(tagger, [*WORDS[:20], "song"])]
    for words, spans in zip(WORDS[:20], answer[:20], strict=True):
        assert all(" ".join(words)[span["start"] : span["end"]] == span["word"] for span in spans)
    assert tag_server.tag(["song", "goal"]).json == [tag_server.tag(word).json for word in ("song", "goal")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inputs": [[]]}, "inputs[0]: no words"),
        ({"inputs": [["a", " "]]}, "inputs[0][1]: an empty text"),
        ({"inputs": [["a", 1]]}, "inputs[0][1]: not a text"),
        ({"inputs": [["a", ["b"]]]}, "inputs[0][1]: not a text"),
        ({"inputs": [["x" * 30_000, "y" * 20_000]]}, "50001 characters; the limit text_characters is 50000"),
        ({"inputs": "a", "top_k": 1}, "unknown field 'top_k'; the fields are aggregation_strategy, exact, inputs,"),
        ({"inputs": "a", "parameters": {"truncate": True}}, "parameters: unknown field 'truncate'"),
        ({"inputs": "a", "model": "tiny"}, "tiny does not answer /tag; ask /predict"),
    ],
)
def test_what_is_wrong_is_named(tag_server: Server, body: dict[str, Any], field: str):
    answer = tag_server.ask("POST", "/tag", body)
    assert answer.status == 422
    assert field in answer.json["error"]


@pytest.mark.slow
def test_a_model_answers_what_it_was_made_for(tag_server: Server, server: Server):
    answer = tag_server.predict("song", model="tags")
    assert (answer.status, answer.json["error"]) == (422, "model: tags does not answer /predict; ask /tag")
    answer = server.tag("song")
    assert (answer.status, answer.json["error"]) == (404, "no model here answers /tag; ask /predict")
    routes = {model["name"]: model["route"] for model in tag_server.ask("GET", "/info").json["models"]}
    assert routes == {"tiny": "predict", "tags": "tag"}


def test_answers_under_load_are_those_of_predict(tag_server: Server, tagger: LightPredictor):
    with ThreadPoolExecutor(16) as threads:
        noise = [threads.submit(tag_server.predict, TEXTS[:20]) for _ in range(10)]
        found = list(threads.map(lambda text: tag_server.tag(text).json, 2 * TEXTS))
        assert {future.result().status for future in noise} == {200}
    assert found == 2 * [told(prediction) for prediction in tagger.predict(TEXTS)]


def test_exact_answers_do_not_depend_on_company(tag_server: Server, tagger: LightPredictor):
    sentences = [as_sentence(text) for text in TEXTS]
    windows = tagger.sentence_windows([sentence.joined for sentence in sentences])
    alone = np.concatenate([tagger.infer([window.ids]) for group in windows for window in group])
    words = to_words(alone, windows, [sentence.joined for sentence in sentences], tagger.task.labels)
    expected = [
        [span.probability for span in prediction.spans or ()]
        for prediction in to_predictions(words, tagger.task, sentences)
    ]
    with ThreadPoolExecutor(8) as threads:
        together = threads.submit(tag_server.tag, TEXTS, exact=True)
        noise = [threads.submit(tag_server.tag, TEXTS[i:], exact=True) for i in range(0, 50, 5)]
        assert [[span["score"] for span in row] for row in together.result().json] == expected
        assert {future.result().status for future in noise} == {200}


def test_lines(tag_server: Server, tagger: LightPredictor):
    lines = [json.dumps(text) for text in (*TEXTS[:30], {"inputs": [WORDS[0]]}, {"inputs": 3}, {"inputs": ODD})]
    answer = tag_server.ask("POST", "/tag/stream", "\n".join(lines).encode(), {"content-type": "application/x-ndjson"})
    found = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["index"] for line in found] == list(range(33))
    assert [line["spans"] for line in found[:30]] == [told(prediction) for prediction in tagger.predict(TEXTS[:30])]
    assert found[30]["spans"] == [told(answer) for answer in answers(tagger, [WORDS[0]])]
    assert found[31]["error_type"] == "validation"
    assert len(found[32]["spans"]) == len(ODD)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals that stop a process")
def test_a_dead_worker_costs_no_answer(tagger_artifact: Path, tagger: LightPredictor):
    with Server(f"tags={tagger_artifact}", "--workers", 1) as server, ThreadPoolExecutor(8) as threads:
        with server.frozen():
            asked = [threads.submit(server.tag, text) for text in TEXTS[:8]]
            server.until(lambda: server.figure("leanformer_queue_requests") == 8)
            os.kill(server.workers[0], signal.SIGKILL)
        assert [future.result().json for future in asked] == [
            told(prediction) for prediction in tagger.predict(TEXTS[:8])
        ]
        assert server.predict("song").status == 404


def test_the_client_of_hugging_face_understands(tag_server: Server, monkeypatch: pytest.MonkeyPatch):
    hub = pytest.importorskip("huggingface_hub")
    # What it is given is an address on this machine.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    base = f"http://127.0.0.1:{tag_server.port}"
    client = hub.InferenceClient()
    text = f"\U0001f3b8 {TEXTS[0]}"
    found = client.token_classification(text, model=f"{base}/tag")
    assert found and all(text[entity.start : entity.end] == entity.word for entity in found)
    assert [entity.entity_group for entity in found] == [entity["entity_group"] for entity in tag_server.tag(text).json]
