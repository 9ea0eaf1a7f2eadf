"""Clients that people already have, against our server as they come: writes benchmarks/results/clients.json.

    python -m benchmarks.serve.clients NAME=FOLDER ... [--output FILE]

Serves the artifacts and makes each call whose route one of them answers, with the clients that are installed. A row
is `{client, version, call, ok}`; a call is `ok` if the client returns what our own route answers, and a row that is not
has the `error`. The package index has them all:

    pip install openai huggingface_hub langchain-openai haystack-ai huggingface-api-haystack
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import tempfile
import urllib.request
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from benchmarks.serve.services import started
from leanformer.files import write_json

RESULT = RESULTS / "clients.json"
TEXTS = ["A gem of a film.", "John lives in New York.", "It rains again."]


class Clients:
    """Calls of other people's clients to a server on a port, each beside our own route; `True` if they agree."""

    def __init__(self, port: int) -> None:
        from huggingface_hub import InferenceClient, constants
        from openai import OpenAI

        # What the client is given is an address on this machine.
        constants.HF_HUB_OFFLINE = False
        os.environ["NO_PROXY"] = "127.0.0.1"
        self.base = f"http://127.0.0.1:{port}"
        self.hub = InferenceClient(model=self.base)
        self.openai = OpenAI(base_url=f"{self.base}/v1", api_key="none", max_retries=0)

    def ours(self, path: str, body: Any = None) -> Any:
        """What a route of ours answers."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, content, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def text_classification(self) -> bool:
        expected = self.ours("/predict", {"inputs": TEXTS[0]})
        return _agree(self.hub.text_classification(TEXTS[0]), expected, "label", "score")

    def text_classification_top_k(self) -> bool:
        expected = self.ours("/predict", {"inputs": TEXTS[0], "top_k": 1})
        return _agree(self.hub.text_classification(TEXTS[0], top_k=1), expected, "label", "score")

    def token_classification(self) -> bool:
        expected = self.ours("/tag", {"inputs": TEXTS[1]})
        return _agree(self.hub.token_classification(TEXTS[1]), expected, "entity_group", "word", "score")

    def feature_extraction(self) -> bool:
        return _near(self.hub.feature_extraction(TEXTS[0]), self.ours("/embed", {"inputs": TEXTS[0]}))

    def sentence_similarity(self) -> bool:
        one, *others = np.array(self.ours("/embed", {"inputs": TEXTS}))
        found = self.hub.sentence_similarity(TEXTS[0], other_sentences=TEXTS[1:])
        return _near(found, np.array(others) @ one)

    def models(self) -> bool:
        names = [model["name"] for model in self.ours("/info")["models"]]
        return [model.id for model in self.openai.models.list()] == names

    def embeddings(self, form: str) -> bool:
        found = self.openai.embeddings.create(model=self._embedder, input=TEXTS, encoding_format=form).data  # type: ignore[arg-type]
        vectors = [
            np.frombuffer(base64.b64decode(entry.embedding), "<f4") if form == "base64" else entry.embedding  # type: ignore[arg-type]
            for entry in found
        ]
        return _near(vectors, self.ours("/embed", {"inputs": TEXTS}))

    def langchain(self) -> bool:
        from langchain_openai import OpenAIEmbeddings

        # It would send token ids of another model's vocabulary.
        made = OpenAIEmbeddings(
            base_url=f"{self.base}/v1", api_key="none", model=self._embedder, check_embedding_ctx_length=False
        )
        found = [*made.embed_documents(TEXTS), made.embed_query(TEXTS[0])]
        return _near(found, self.ours("/embed", {"inputs": [*TEXTS, TEXTS[0]]}))

    def haystack_openai(self) -> bool:
        from haystack.components.embedders import OpenAITextEmbedder
        from haystack.utils import Secret

        made = OpenAITextEmbedder(
            api_base_url=f"{self.base}/v1", api_key=Secret.from_token("none"), model=self._embedder, max_retries=0
        )
        return _near([made.run(text=TEXTS[0])["embedding"]], self.ours("/embed", {"inputs": TEXTS[0]}))

    def haystack_text(self) -> bool:
        from haystack_integrations.components.embedders.huggingface_api import HuggingFaceAPITextEmbedder

        made = HuggingFaceAPITextEmbedder(api_type="text_embeddings_inference", api_params={"url": self.base})
        # It asks for vectors as they are, unless told otherwise.
        ours = self.ours("/embed", {"inputs": TEXTS[0], "normalize": False})
        return _near([made.run(text=TEXTS[0])["embedding"]], ours)

    def haystack_documents(self) -> bool:
        from haystack import Document
        from haystack_integrations.components.embedders.huggingface_api import HuggingFaceAPIDocumentEmbedder

        made = HuggingFaceAPIDocumentEmbedder(
            api_type="text_embeddings_inference", api_params={"url": self.base}, progress_bar=False
        )
        found = made.run(documents=[Document(content=text) for text in TEXTS])["documents"]
        ours = self.ours("/embed", {"inputs": TEXTS, "normalize": False})
        return _near([document.embedding for document in found], ours)

    def haystack_rank(self) -> bool:
        from haystack import Document
        from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

        made = HuggingFaceTEIRanker(url=self.base, top_k=2)
        found = made.run(query=TEXTS[0], documents=[Document(content=text) for text in TEXTS])["documents"]
        ours = self.ours("/rerank", {"query": TEXTS[0], "texts": TEXTS})[:2]
        return [document.content for document in found] == [TEXTS[entry["index"]] for entry in ours] and _near(
            [document.score for document in found], [entry["score"] for entry in ours]
        )

    @property
    def _embedder(self) -> str:
        return next(model["name"] for model in self.ours("/info")["models"] if model["route"] == "embed")


# Client, call as it is written, our route that has to be there ("" for none), and the method that makes it.
CALLS: tuple[tuple[str, str, str, Callable[[Clients], bool]], ...] = (
    ("huggingface_hub", "text_classification(text)", "predict", Clients.text_classification),
    ("huggingface_hub", "text_classification(text, top_k=1)", "predict", Clients.text_classification_top_k),
    ("huggingface_hub", "token_classification(text)", "tag", Clients.token_classification),
    ("huggingface_hub", "feature_extraction(text)", "embed", Clients.feature_extraction),
    ("huggingface_hub", "sentence_similarity(text, other_sentences=texts)", "embed", Clients.sentence_similarity),
    ("openai", "models.list()", "", Clients.models),
    ("openai", "embeddings.create(input=texts, encoding_format='float')", "embed", lambda c: c.embeddings("float")),
    ("openai", "embeddings.create(input=texts, encoding_format='base64')", "embed", lambda c: c.embeddings("base64")),
    ("langchain-openai", "OpenAIEmbeddings(check_embedding_ctx_length=False).embed_documents(texts)", "embed",
     Clients.langchain),
    ("haystack-ai", "OpenAITextEmbedder(api_base_url).run(text)", "embed", Clients.haystack_openai),
    ("huggingface-api-haystack", "HuggingFaceAPITextEmbedder('text_embeddings_inference').run(text)", "embed",
     Clients.haystack_text),
    ("huggingface-api-haystack", "HuggingFaceAPIDocumentEmbedder('text_embeddings_inference').run(documents)", "embed",
     Clients.haystack_documents),
    ("huggingface-api-haystack", "HuggingFaceTEIRanker(url).run(query, documents)", "rerank", Clients.haystack_rank),
)  # fmt: skip


def _agree(found: Any, expected: list[dict[str, Any]], *names: str) -> bool:
    told = [tuple(getattr(entry, name) for name in names) for entry in found]
    wanted = [tuple(entry[name] for name in names) for entry in expected]
    return len(told) == len(wanted) and all(
        row[:-1] == right[:-1] and abs(row[-1] - right[-1]) < 1e-5 for row, right in zip(told, wanted, strict=True)
    )


def _near(found: Any, expected: Any) -> bool:
    return np.shape(found) == np.shape(expected) and bool(np.allclose(found, expected, atol=1e-5))


def rows_of(port: int, first: str) -> list[dict[str, Any]]:
    """A row for each call that a server on this port can answer.

    Args:
        first: the route of its first model, which answers where a client names none.
    """
    clients = Clients(port)
    models = clients.ours("/info")["models"]
    routes = {model["route"] for model in models}
    # Those of pairs whose answer is a number.
    routes |= {"rerank"} & {"rerank" for model in models if model["pairs"] and not model["task"]["labels"]}
    rows = []
    for client, call, route, make in CALLS:
        # Clients of Hugging Face's post to the root, where the first model answers; the others name their route.
        anywhere = client in ("openai", "langchain-openai", "haystack-ai") or "similarity" in call or route == "rerank"
        if route not in (routes if anywhere else {first}) | {""}:
            continue
        try:
            row: dict[str, Any] = {"client": client, "version": version(client), "call": call, "ok": False}
        except PackageNotFoundError:
            print(f"not installed: {client}")
            continue
        try:
            row["ok"] = make(clients)
        except Exception as error:  # whatever a client raises
            row["error"] = f"{type(error).__name__}: {error}"[:300]
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifacts", nargs="+", metavar="NAME=FOLDER", help="what is served, a model for each route")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        texts = Path(scratch) / "texts.txt"
        texts.write_text("\n".join(TEXTS), encoding="utf-8")
        # Each model comes first once, so that it is the one that answers a client that names none.
        for index, artifact in enumerate(arguments.artifacts):
            others = [other for other in arguments.artifacts if other != artifact]
            command = ["-m", "leanformer", "serve", artifact, *others, "--port", "PORT", "--workers", "1"]
            with started(command, texts, path="/") as service:
                first = json.load(urllib.request.urlopen(f"http://127.0.0.1:{service.port}/info"))["models"][0]["route"]
                found = rows_of(service.port, first)
            rows += [row for row in found if not index or row["call"] not in {known["call"] for known in rows}]
    for row in rows:
        print(row)
    about = {key: value for key, value in provenance().items() if key != "load"}
    write_json(arguments.output, [row | about for row in rows])


if __name__ == "__main__":
    main()
