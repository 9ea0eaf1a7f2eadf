"""Clients that people already have, against our server as they come: writes benchmarks/results/clients.json.

    python -m benchmarks.serve.clients NAME=FOLDER ... [--output FILE]

Serves the artifacts and makes each call whose route one of them answers. A row is `{client, version, call, ok}`; a call
is `ok` if the client returns what our own route answers, and a row that is not has the `error`.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import tempfile
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
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
        name = next(model["name"] for model in self.ours("/info")["models"] if model["route"] == "embed")
        found = self.openai.embeddings.create(model=name, input=TEXTS, encoding_format=form).data  # type: ignore[arg-type]
        vectors = [
            np.frombuffer(base64.b64decode(entry.embedding), "<f4") if form == "base64" else entry.embedding  # type: ignore[arg-type]
            for entry in found
        ]
        return _near(vectors, self.ours("/embed", {"inputs": TEXTS}))


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
)  # fmt: skip


def _agree(found: Any, expected: list[dict[str, Any]], *names: str) -> bool:
    told = [tuple(getattr(entry, name) for name in names) for entry in found]
    wanted = [tuple(entry[name] for name in names) for entry in expected]
    return len(told) == len(wanted) and all(
        one[:-1] == other[:-1] and abs(one[-1] - other[-1]) < 1e-5 for one, other in zip(told, wanted, strict=True)
    )


def _near(found: Any, expected: Any) -> bool:
    return np.shape(found) == np.shape(expected) and bool(np.allclose(found, expected, atol=1e-5))


def rows_of(port: int, first: str) -> list[dict[str, Any]]:
    """A row for each call that a server on this port can answer.

    Args:
        first: the route of its first model, which answers where a client names none.
    """
    clients = Clients(port)
    routes = {model["route"] for model in clients.ours("/info")["models"]}
    rows = []
    for client, call, route, make in CALLS:
        # Hugging Face's client posts to the root, where the first model answers; similarity has a form of its own.
        if route not in (routes if client == "openai" or "similarity" in call else {first}) | {""}:
            continue
        row: dict[str, Any] = {"client": client, "version": version(client), "call": call, "ok": False}
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
