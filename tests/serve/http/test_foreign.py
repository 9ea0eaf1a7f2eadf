"""Clients of other servers: OpenAI's, Hugging Face's, and bodies of text-embeddings-inference."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.answers.forms import to_predictions
from leanformer.artifact import open_artifact
from leanformer.export.onnx import Onnx
from leanformer.models.store import write_classifier
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.serve.http.foreign import FOREIGN
from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import RequestLimits
from leanformer.task import Task
from tests.making.graphs import make_context
from tests.making.servers import Server
from tests.making.tiny import tiny_classifier, tiny_config, tiny_kind_dataset, tiny_tokenizer
from tests.serve.test_routes import TEXTS

QUERY = "rain and a storm"


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose answer to a pair is a number."""
    folder = tmp_path_factory.mktemp("ranker")
    task = Task("similarity", (), scale=(3.0, 1.5))
    encoder = write_classifier(
        tiny_classifier(tiny_config(labels=1)), folder / "encoder", task=task,
        tokenizer=tiny_tokenizer(folder / "tokenizer"), max_tokens=32, history=[],
    )  # fmt: skip
    data = tiny_kind_dataset("similarity", sizes=(20, 20, 8, 8))
    return Onnx()(encoder, make_context(folder, encoder, data=data), folder / "onnx").path


@pytest.fixture(scope="module")
def ranked(tiny_onnx_artifact: Path, ranker: Path, embedder_artifact: Path) -> Iterator[Server]:
    """A model that labels, one that scores pairs, and one that gives vectors."""
    named = (f"tiny={tiny_onnx_artifact}", f"pairs={ranker}", f"vectors={embedder_artifact}")
    with Server(*named, "--workers", 1) as server:
        yield server


def scores_of(artifact: Path, pairs: list[tuple[str, str]]) -> list[float]:
    """The scores of a model without a server."""
    opened = open_artifact(artifact)
    predictions = to_predictions(logits(LightPredictor(opened, threads=1), pairs), opened.task)
    return [float(prediction.score or 0) for prediction in predictions]


@pytest.fixture
def client(all_server: Server) -> Any:
    openai = pytest.importorskip("openai")
    return openai.OpenAI(base_url=f"http://127.0.0.1:{all_server.port}/v1", api_key="none", max_retries=0)


# ---- OpenAI's client ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("form", ["float", "base64", None])
def test_openais_client_gets_vectors(all_server: Server, client: Any, form: str | None):
    """Without a format the client asks for base64, and decodes it."""
    options = {} if form is None else {"encoding_format": form}
    found = client.embeddings.create(model="vectors", input=TEXTS[:3], **options)
    expected = np.array(all_server.embed(TEXTS[:3]).json, np.float32)
    told = [
        np.frombuffer(base64.b64decode(entry.embedding), "<f4") if form == "base64" else np.float32(entry.embedding)
        for entry in found.data
    ]
    np.testing.assert_allclose(np.stack(told), expected, atol=1e-6)
    assert [entry.index for entry in found.data] == [0, 1, 2] and found.model == "vectors"
    assert found.usage.prompt_tokens == found.usage.total_tokens > 3 * 3


@pytest.mark.slow
def test_one_text_is_a_list_of_one(all_server: Server, client: Any):
    (entry,) = client.embeddings.create(model="vectors", input=QUERY).data
    np.testing.assert_allclose(entry.embedding, all_server.embed(QUERY).json[0], atol=1e-6)


def test_openais_client_lists_the_models(client: Any):
    assert [model.id for model in client.models.list()] == ["tiny", "tags", "vectors"]


def test_openais_client_is_told_what_is_wrong(client: Any):
    openai = pytest.importorskip("openai")
    with pytest.raises(openai.NotFoundError, match="the models are tiny, tags, vectors"):
        client.embeddings.create(model="text-embedding-3-small", input=QUERY)
    with pytest.raises(openai.UnprocessableEntityError, match=r"input\[1\]: more tokens than the model's max_tokens"):
        client.embeddings.create(model="vectors", input=[QUERY, "rain " * 60])
    with pytest.raises(openai.UnprocessableEntityError, match="dimensions: vectors are given whole"):
        client.embeddings.create(model="vectors", input=QUERY, dimensions=8)


# ---- text-embeddings-inference --------------------------------------------------------------------------------------


def test_similarity_is_the_cosine(all_server: Server, embedder: LightPredictor):
    reply = all_server.ask(
        "POST", "/similarity", {"inputs": {"source_sentence": QUERY, "sentences": TEXTS[:4]}, "model": "vectors"}
    )
    vectors = logits(embedder, [QUERY, *TEXTS[:4]])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(reply.json, vectors[1:] @ vectors[0], atol=1e-5)


def test_hugging_faces_client_compares_sentences(all_server: Server, monkeypatch: pytest.MonkeyPatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = hub.InferenceClient(model=f"http://127.0.0.1:{all_server.port}").sentence_similarity(
        QUERY, other_sentences=[*TEXTS[:2], QUERY]
    )
    assert len(found) == 3 and found[2] == pytest.approx(1, abs=1e-5)


def test_rerank_orders_texts_by_the_models_score(ranked: Server, ranker: Path):
    texts = TEXTS[:5]
    body = {"query": QUERY, "texts": texts, "return_text": True}
    found = ranked.ask("POST", "/rerank", body).json
    expected = scores_of(ranker, [(QUERY, text) for text in texts])
    assert [entry["index"] for entry in found] == sorted(range(5), key=lambda index: -expected[index])
    assert [entry["score"] for entry in found] == pytest.approx(sorted(expected, reverse=True), abs=1e-5)
    assert all(entry["text"] == texts[entry["index"]] for entry in found)
    assert "text" not in ranked.ask("POST", "/rerank", body | {"return_text": None}).json[0]


def test_a_model_that_does_not_suit_is_refused(ranked: Server, all_server: Server):
    body = {"query": QUERY, "texts": TEXTS[:2]}
    named = ranked.ask("POST", "/rerank", body | {"model": "tiny"})
    assert named.status == 422 and "tiny: it gives labels" in named.json["error"]
    none = all_server.ask("POST", "/rerank", body)
    assert none.status == 404 and "tiny: it gives labels" in none.json["error"]
    assert all_server.ask("POST", "/rerank", body | {"model": "vectors"}).status == 422
    assert all_server.ask("POST", "/embed_sparse", {"inputs": QUERY}).status == 404


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("v1/embeddings", [1], "the body must be an object"),
        ("v1/embeddings", {}, "input: missing"),
        ("v1/embeddings", {"input": QUERY, "inputs": QUERY}, "unknown field 'inputs'"),
        ("v1/embeddings", {"input": [1, 2]}, "input: token ids"),
        ("v1/embeddings", {"input": [[1, 2]]}, "input: token ids"),
        ("v1/embeddings", {"input": ["a", ["b", "c"]]}, "input: must be a text or a list of texts"),
        ("v1/embeddings", {"input": [["a", "b"]]}, "input: must be a text or a list of texts"),
        ("v1/embeddings", {"input": [True]}, "input[0]: not a text"),
        ("v1/embeddings", {"input": []}, "input: must be a text or a list of texts, and not empty"),
        ("v1/embeddings", {"input": ["a", ""]}, "input[1]: an empty text"),
        ("v1/embeddings", {"input": ""}, "input: an empty text"),
        ("v1/embeddings", {"input": ["a"] * 9}, "input: 9 texts; the limit texts is 8"),
        ("v1/embeddings", {"input": "a", "encoding_format": "int8"}, "encoding_format: must be float or base64"),
        ("v1/embeddings", {"input": "a", "user": 1}, "user: must be a text"),
        ("v1/embeddings", {"input": "a", "model": 1}, "model: must be a name"),
        ("similarity", {"inputs": "a"}, "inputs: must be an object"),
        ("similarity", {"inputs": {"source_sentence": "a"}}, "inputs.sentences: missing"),
        ("similarity", {"inputs": {"source_sentence": "a", "sentences": "b"}}, "inputs.sentences: must be a list"),
        ("similarity", {"inputs": {"source_sentence": "a", "sentences": ["b", 1]}}, "inputs.sentences[1]: not a text"),
        ("similarity", {"inputs": {"source_sentence": 1, "sentences": ["b"]}}, "inputs.source_sentence: not a text"),
        ("similarity", {"inputs": {"source_sentence": "a", "sentences": [["b"]]}}, "inputs: must be texts"),
        ("similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"], "x": 1}}, "inputs: unknown field 'x'"),
        (
            "similarity",
            {"inputs": {"source_sentence": "a", "sentences": ["b"]}, "parameters": {"top_k": 1}},
            "parameters: unknown field 'top_k'",
        ),
        (
            "similarity",
            {"inputs": {"source_sentence": "a", "sentences": ["b"]}, "parameters": False},
            "parameters: must be an object",
        ),
        ("rerank", {"query": "a"}, "texts: missing"),
        ("rerank", {"query": "a", "texts": []}, "texts: must be a list of texts, and not empty"),
        ("rerank", {"query": "a", "texts": ["b", ["c"]]}, "texts[1]: not a text"),
        ("rerank", {"query": ["a"], "texts": ["b"]}, "query: not a text"),
        ("rerank", {"query": "a", "texts": ["b"], "return_text": 1}, "return_text: must be true or false"),
        ("rerank", {"query": "a", "texts": ["b"] * 9}, "texts: 9 texts; the limit texts is 8"),
    ],
)
def test_what_is_wrong_is_named_in_their_words(path: str, body: Any, error: str):
    with pytest.raises(Refused) as refused:
        FOREIGN[path].read(body, RequestLimits(texts=8))
    assert refused.value.status == 422 and refused.value.message.startswith(error), refused.value.message
