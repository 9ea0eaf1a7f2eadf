"""Routes of other servers: OpenAI's embeddings, and similarity and rerank of text-embeddings-inference.

Each is a question to a route of our own in other words, and its answer told in the words of that server.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace

from leanformer.inputs.kinds import input_of
from leanformer.metrics.probabilities import unit_vectors
from leanformer.serve.generation import Answered
from leanformer.serve.http.answers import numbers
from leanformer.serve.http.inputs import Query, checked, read_query
from leanformer.serve.http.refused import Refused
from leanformer.serve.service import Service
from leanformer.serve.settings import RequestLimits
from leanformer.task import Task

# In the user-agent of Hugging Face's own client.
HUB_CLIENT = "hf_hub/"
_INPUT = re.compile(r"^inputs(?:\[(\d+)\](?:\[(\d)\])?)?(?=:)")


@dataclass(frozen=True)
class Foreign:
    """A route of another server.

    Attributes:
        route: our route that answers it.
        fields: what its requests may have; the first ones, `needed` of them, they must have.
        body: those fields as the body of our route.
        place: the name there of our `inputs`, `inputs[i]` or `inputs[i][j]`, by the fields and the two indices.
        answer: the response, from what our route answered, and the fields.
        suits: why a model of our route does not answer it; "" if it does.
    """

    route: str
    fields: tuple[str, ...]
    needed: int
    body: Callable[[dict[str, Any]], dict[str, Any]]
    place: Callable[[dict[str, Any], int | None, int | None], str]
    answer: Callable[[Answered, dict[str, Any]], Any]
    suits: Callable[[Task], str] = lambda task: ""

    def read(self, value: Any, limits: RequestLimits) -> tuple[Query, dict[str, Any]]:
        """The body of a request, given as a JSON value, as a query of ours, and its fields. Raises `Refused` (422)."""
        fields = checked(value, self.fields, self.needed)
        try:
            query = read_query(self.body(fields), limits, self.route)
        except Refused as refused:
            raise self.renamed(refused, fields) from refused
        return replace(query, arrays=self.route == "embed"), fields

    def suited(self, query: Query, service: Service) -> Query:
        """The query, of a model that suits: the first one, if it names none. Raises `Refused` (404, or 422)."""
        generation = service.generation
        if query.model is not None:
            if reason := self.suits(service.model(query, generation).task):
                raise Refused(422, f"model: {query.model}: {reason}")
            return query
        reasons = {
            name: self.suits(model.task) for name, model in generation.models.items() if model.route == self.route
        }
        for name, reason in reasons.items():
            if not reason:
                return replace(query, model=name)
        if reasons:
            raise Refused(
                404, "no model here answers this: " + "; ".join(f"{name}: {reasons[name]}" for name in reasons)
            )
        return query

    def renamed(self, refused: Refused, fields: dict[str, Any]) -> Refused:
        """The refusal of our query, in the words of the request that it came from."""

        def name(found: re.Match[str]) -> str:
            first, second = (None if number is None else int(number) for number in found.groups())
            return self.place(fields, first, second)

        return Refused(refused.status, _INPUT.sub(name, refused.message), refused.headers)


def _copied(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: fields[name] for name in names if fields.get(name) is not None}


# ---- OpenAI: embeddings ---------------------------------------------------------------------------------------------


def _openai_body(fields: dict[str, Any]) -> dict[str, Any]:
    texts = fields["input"]
    if isinstance(texts, list) and texts and all(map(_is_token, texts[0] if isinstance(texts[0], list) else texts)):
        raise Refused(422, "inputs: token ids are not taken, because they are those of another model; send texts")
    if isinstance(texts, list) and any(isinstance(part, list) for part in texts):
        raise Refused(422, "inputs: must be a text or a list of texts")
    if fields.get("encoding_format") not in (None, "float", "base64"):
        raise Refused(422, "encoding_format: must be float or base64")
    if not isinstance(fields.get("user"), str | None):
        raise Refused(422, "user: must be a text")
    return {"inputs": texts} | _copied(fields, "model", "dimensions")


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _openai_place(fields: dict[str, Any], first: int | None, second: int | None) -> str:
    return "input" if first is None or isinstance(fields["input"], str) else f"input[{first}]"


def _openai_answer(answered: Answered, fields: dict[str, Any]) -> Any:
    if fields.get("encoding_format") == "base64":
        told: list[Any] = [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in answered.answers]
    else:
        told = [numbers(vector) for vector in answered.answers]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(told)],
        "model": answered.model.name,
        "usage": {"prompt_tokens": answered.tokens, "total_tokens": answered.tokens},
    }


# ---- text-embeddings-inference: similarity, rerank -------------------------------------------------------------------

_SIDES = ("source_sentence", "sentences")
_CUTTING = ("truncate", "truncation_direction", "prompt_name")


def asks_similarity(value: Any) -> bool:
    """Whether this body of the root is that of `similarity`, as Hugging Face's own client sends it there."""
    inputs = value.get("inputs") if isinstance(value, dict) else None
    return isinstance(inputs, dict) and "source_sentence" in inputs


def _similarity_body(fields: dict[str, Any]) -> dict[str, Any]:
    inputs = checked(fields["inputs"], _SIDES, 2, "inputs")
    if not isinstance(inputs["sentences"], list) or not inputs["sentences"]:
        raise Refused(422, "inputs.sentences: must be a list of texts, and not empty")
    given = fields.get("parameters")
    parameters = {} if given is None else checked(given, _CUTTING, 0, "parameters")
    if any(isinstance(text, list) for text in (*inputs["sentences"], inputs["source_sentence"])):
        raise Refused(422, "inputs: must be texts, not lists")
    return {"inputs": [*inputs["sentences"], inputs["source_sentence"]]} | parameters | _copied(fields, "model")


def _similarity_place(fields: dict[str, Any], first: int | None, second: int | None) -> str:
    if first is None:
        return "inputs"
    return "inputs.source_sentence" if first == len(fields["inputs"]["sentences"]) else f"inputs.sentences[{first}]"


def _similarity_answer(answered: Answered, fields: dict[str, Any]) -> Any:
    *others, source = unit_vectors(np.stack(answered.answers))
    return numbers(np.stack(others) @ source)


def _rerank_body(fields: dict[str, Any]) -> dict[str, Any]:
    texts = fields["texts"]
    if not isinstance(texts, list) or not texts:
        raise Refused(422, "texts: must be a list of texts, and not empty")
    for name in ("return_text", "raw_scores"):
        if not isinstance(fields.get(name), bool | None):
            raise Refused(422, f"{name}: must be true or false")
    options = _copied(fields, "model", "raw_scores", "truncate", "truncation_direction")
    return {"inputs": [[fields["query"], text] for text in texts]} | options


def _rerank_place(fields: dict[str, Any], first: int | None, second: int | None) -> str:
    if first is None:
        return "texts"
    return "query" if second == 0 else f"texts[{first}]"


def _rerank_answer(answered: Answered, fields: dict[str, Any]) -> Any:
    scores = [scored[0]["score"] for scored in answered.answers]
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    return [
        {"index": index, "score": scores[index]}
        | ({"text": fields["texts"][index]} if fields.get("return_text") else {})
        for index in order
    ]


def _gives_scores(task: Task) -> str:
    if task.labels:
        return "it gives labels, and rerank needs a score"
    return "" if input_of(task).paired else "it reads single texts, and rerank needs a score of a pair"


FOREIGN = {
    "v1/embeddings": Foreign(
        "embed", ("input", "model", "encoding_format", "dimensions", "user"), 1,
        _openai_body, _openai_place, _openai_answer,
    ),
    "similarity": Foreign(
        "embed", ("inputs", "parameters", "model"), 1, _similarity_body, _similarity_place, _similarity_answer,
    ),
    "rerank": Foreign(
        "predict", ("query", "texts", "raw_scores", "return_text", "truncate", "truncation_direction", "model"), 2,
        _rerank_body, _rerank_place, _rerank_answer, _gives_scores,
    ),
}  # fmt: skip
"""Path -> the route of another server that it is."""
