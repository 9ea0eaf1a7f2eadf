"""The description of the routes: as OpenAPI 3.1 for programs, and as a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from leanformer import __version__
from leanformer.answers.forms import form_of
from leanformer.serve.http.answers import NAMES
from leanformer.serve.http.body import TIMEOUT_HEADER
from leanformer.serve.http.foreign import FOREIGN
from leanformer.serve.http.inputs import OPTIONS
from leanformer.serve.http.refused import KINDS
from leanformer.serve.http.schemas import (
    NAMED,
    QUERIES,
    answer_schema,
    foreign_schemas,
    routes_of,
    schemas,
    token_schemas,
)
from leanformer.serve.http.written import JSON, MSGPACK, RAW, RAW_ROUTES
from leanformer.serve.settings import RequestLimits, ServerSettings
from leanformer.serve.workers.queues import PRIORITIES, PRIORITY_HEADER
from leanformer.task import Task

_SUMMARIES = {
    "predict": (
        "Scores of every label for a text, or for each of several",
        "The scores, best first: a list for one text, a list of such lists for several",
    ),
    "tag": (
        "The entities in a text, or in each of several, with their places",
        "The entities in their order: a list for one text, a list of such lists for several",
    ),
    "answer": (
        "The answer to a question in its context, or to each of several, with its place",
        "The best answers, the one that is given first: a list for one question, a list of such lists for several",
    ),
    "embed": ("A vector for a text, or for each of several", "A list of vectors, also for one text"),
}


_HEADERS: list[dict[str, Any]] = [
    {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "schema": {"type": "integer", "minimum": 1},
        "description": "Milliseconds after which the answer is of no more use (504, and the work is dropped).",
    },
    {
        "name": PRIORITY_HEADER,
        "in": "header",
        "schema": {"enum": list(PRIORITIES)},
        "description": "Requests of higher priority go first in the model's queue; the default is normal. A request of "
        "low priority is accepted only while less than half of the queue is taken.",
    },
]


def describe(settings: ServerSettings, tasks: Mapping[str, Task], largest_id: int = 0) -> dict[str, Any]:
    """The OpenAPI document of a server with these settings and models (name -> task), including its limits.

    `largest_id`: the largest token id that all of the models know.
    """
    limits = settings.limits
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Leanformer",
            "version": __version__,
            "description": "Labels, entities and vectors for texts, by small Transformer encoders.",
        },
        "paths": {
            "/": {"get": _page(), "post": _ask_any(tasks, limits)},
            **{f"/{option}": {"post": _ask(option, limits)} for option in OPTIONS},
            **{f"/{option}/stream": {"post": _stream(option, limits)} for option in OPTIONS},
            **_foreign(tasks, limits),
            **_tokens(tasks, limits, largest_id),
            "/v1/models": {"get": _get("Names of the models, for OpenAI's clients", "models")},
            "/info": {"get": _get("Models, their labels and versions, and all limits", "info")},
            "/health": {"get": _get("Whether the process answers", "health", key=False)},
            "/ready": {"get": _get("Whether a request would be answered now", "ready", 503, key=False)},
            "/metrics": {"get": _metrics()},
        },
        "components": {"schemas": schemas(settings, tasks)},
    }
    if settings.key is not None:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for methods in document["paths"].values():
            for operation in methods.values():
                if operation["security"]:
                    operation["responses"]["401"] = _error(401)
    for methods in document["paths"].values():
        for operation in methods.values():
            if settings.key is None or not operation["security"]:
                del operation["security"]
    return document


def _ask(route: str, limits: RequestLimits) -> dict[str, Any]:
    return {
        "operationId": route,
        "summary": _SUMMARIES[route][0],
        "description": f"At most {limits.texts} texts, and {limits.body_bytes:,} bytes.",
        "security": [{"key": []}],
        "parameters": _HEADERS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{QUERIES[route]}"}}},
        },
        "responses": {
            "200": {
                "description": _SUMMARIES[route][1],
                "content": {JSON: {"schema": answer_schema(route)}, MSGPACK: {}}
                | ({RAW: {}} if route in RAW_ROUTES else {}),
            },
            **{str(status): _error(status) for status in (400, 404, 406, 408, 413, 415, 421, 422, 429, 500, 503, 504)},
        },
    }


_FOREIGN = {
    "v1/embeddings": "Vectors of length 1, in the shape of OpenAI's API",
    "similarity": "The cosine of a text and each of several, in the shape of text-embeddings-inference",
    "rerank": "Texts by their score with a query, the best first, in the shape of text-embeddings-inference",
}


def _foreign(tasks: Mapping[str, Task], limits: RequestLimits) -> dict[str, Any]:
    """The routes of other servers."""
    models = {
        path: [name for name, task in tasks.items() if form_of(task).route == foreign.route and not foreign.suits(task)]
        for path, foreign in FOREIGN.items()
    }
    paths = {}
    for path, (asked, told) in foreign_schemas(limits, models).items():
        operation = _ask(FOREIGN[path].route, limits) | {"operationId": path, "summary": _FOREIGN[path]}
        operation["requestBody"]["content"]["application/json"]["schema"] = asked
        operation["responses"]["200"] = {"description": "The answer", "content": {JSON: {"schema": told}, MSGPACK: {}}}
        if path.startswith("v1/"):
            operation["responses"] |= {
                status: _error(int(status), "OpenAIError") for status in operation["responses"] if status != "200"
            }
        paths[f"/{path}"] = {"post": operation}
    return paths


def _tokens(tasks: Mapping[str, Task], limits: RequestLimits, largest_id: int) -> dict[str, Any]:
    """The routes from texts to tokens and back."""
    paths = {}
    for path, (asked, told, summary) in token_schemas(limits, list(tasks), largest_id).items():
        operation = _ask("predict", limits) | {"operationId": path, "summary": summary}
        operation["requestBody"]["content"][JSON]["schema"] = asked
        operation["responses"]["200"] = {"description": "The answer", "content": {JSON: {"schema": told}, MSGPACK: {}}}
        paths[f"/{path}"] = {"post": operation}
    return paths


def _ask_any(tasks: Mapping[str, Task], limits: RequestLimits) -> dict[str, Any]:
    """The root, for requests that name no route: the model's own route answers."""
    routes = routes_of(tasks)
    operation = _ask(routes[0], limits)
    names = [QUERIES[routes[0]], *(NAMED[route] for route in routes[1:])]
    queries = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    operation["requestBody"]["content"]["application/json"]["schema"] = {"anyOf": queries}
    operation["responses"]["200"] = {
        "description": "Same answer as the route of the requested model",
        "content": {JSON: {"schema": {"anyOf": [answer_schema(route) for route in routes]}}, MSGPACK: {}, RAW: {}},
    }
    return operation | {
        "operationId": "ask",
        "summary": "The same as the route of the model that is named, or of the first model",
    }


def _page() -> dict[str, Any]:
    page = _get("A page to try the models on", "page", key=False)
    page["responses"]["200"]["content"] = {"text/html": {"schema": {"type": "string"}}}
    return page


def _stream(route: str, limits: RequestLimits) -> dict[str, Any]:
    return {
        "operationId": f"{route}_stream",
        "summary": f"The same as /{route} for any number of texts: a line in, a line out, in order",
        "description": f"A line is a text as a JSON string, or an object as for /{route}. Every line has an answer, "
        "a blank one an error. The answer begins before the "
        "last line has been sent, so read while you write: a client that does not is cut off. A line has at most "
        f"{limits.body_bytes:,} bytes.",
        "security": [{"key": []}],
        "parameters": _HEADERS,
        "requestBody": {"required": True, "content": {"application/x-ndjson": {}}},
        "responses": {
            "200": {
                "description": f'Lines {{"index": 0, "{NAMES[route]}": ...}} or {{"index": 0, "error": ..., '
                '"error_type": ...}',
                "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
            },
            **{str(status): _error(status) for status in (415, 421, 422, 503)},
        },
    }


def _get(summary: str, name: str, *statuses: int, key: bool = True) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"key": []}] if key else [],
        "responses": {
            "200": {"description": "The answer", "content": {"application/json": {"schema": {"type": "object"}}}},
            **{str(status): _error(status) for status in (421, *statuses)},
        },
    }


def _metrics() -> dict[str, Any]:
    operation = _get("Figures for Prometheus", "metrics")
    operation["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return operation


def _error(status: int, name: str = "Error") -> dict[str, Any]:
    return {
        "description": KINDS[status].replace("_", " "),
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }


def page(document: dict[str, Any]) -> str:
    """The document as one self-contained HTML page."""
    parts = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            rows = "".join(
                f"<tr><td>{escape(status)}</td><td>{escape(response['description'])}</td></tr>"
                for status, response in operation["responses"].items()
            )
            text = escape(operation.get("description", ""))
            parts.append(
                f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}. "
                f"{text}</p><table><caption>Answers</caption>{rows}</table></section>"
            )
    fields = "".join(_fields(route, document["components"]["schemas"][name]) for route, name in QUERIES.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Leanformer: routes</title>'
        '<meta name="viewport" content="width=device-width"><style>:root{color-scheme:light dark}'
        "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
        "td{padding:.15rem 1rem .15rem 0;vertical-align:top}caption{text-align:left;font-weight:600}</style>"
        "<h1>Routes</h1><p>For programs: <a href='openapi.json'>openapi.json</a>. To try it: <a href='./'>the page</a>."
        f"</p>{''.join(parts)}{fields}</html>"
    )


def _fields(route: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in schema["properties"].items()
    )
    return f"<section><h2>Fields of a request to /{escape(route)}</h2><table>{rows}</table></section>"
