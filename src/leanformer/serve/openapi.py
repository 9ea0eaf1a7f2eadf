"""The description of the routes: as OpenAPI 3.1 for programs, and as a page for people."""

from __future__ import annotations

from html import escape
from typing import Any

from leanformer import __version__
from leanformer.serve.body import TIMEOUT_HEADER
from leanformer.serve.refused import KINDS
from leanformer.serve.settings import Limits, Settings

_SCORES = {"type": "array", "items": {"$ref": "#/components/schemas/Score"}}


def describe(settings: Settings) -> dict[str, Any]:
    """The OpenAPI document of a server with these settings; its limits are part of it."""
    limits = settings.limits
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Leanformer",
            "version": __version__,
            "description": "Labels for texts, by small Transformer encoders.",
        },
        "paths": {
            "/predict": {"post": _predict(limits)},
            "/predict/stream": {"post": _stream(limits)},
            "/info": {"get": _get("Models, their labels and versions, and all limits", "info")},
            "/health": {"get": _get("Whether the process answers", "health", key=False)},
            "/ready": {"get": _get("Whether a request would be answered now", "ready", 503, key=False)},
            "/metrics": {"get": _metrics()},
        },
        "components": {"schemas": _schemas(settings)},
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


def _schemas(settings: Settings) -> dict[str, Any]:
    limits = settings.limits
    text = {"type": "string", "minLength": 1, "maxLength": limits.text_characters, "pattern": r"\S"}
    options = {
        "raw_scores": {"type": ["boolean", "null"], "description": "Logits instead of probabilities."},
        "top_k": {"type": ["integer", "null"], "minimum": 1, "description": "How many labels, best first; null: all."},
        "truncate": {
            "type": ["boolean", "null"],
            "description": "Cut texts that are longer than the model's max_tokens; without it they are refused (422).",
        },
        "exact": {
            "type": ["boolean", "null"],
            "description": "Score each text by itself: the answer does not depend on what else is asked, to the last "
            "bit. Slower.",
        },
    }
    query = {
        "type": "object",
        "required": ["inputs"],
        "additionalProperties": False,
        "properties": {
            "inputs": {
                "description": "A text; a list of texts; for models on pairs one pair, or a list of pairs.",
                "anyOf": [
                    {"$ref": "#/components/schemas/Text"},
                    {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": limits.texts,
                        "items": {
                            "anyOf": [
                                {"$ref": "#/components/schemas/Text"},
                                {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": 2,
                                    "items": {"$ref": "#/components/schemas/Text"},
                                },
                            ]
                        },
                    },
                ],
            },
            "model": {"type": ["string", "null"], "enum": [*settings.artifacts, None]},
            **options,
            "parameters": {
                "type": "object",
                "additionalProperties": False,
                "properties": options,
                "description": "The options again, where Hugging Face's inference API has them.",
            },
        },
    }
    error = {
        "type": "object",
        "required": ["error", "error_type"],
        "properties": {"error": {"type": "string"}, "error_type": {"enum": sorted(set(KINDS.values()))}},
    }
    score = {
        "type": "object",
        "required": ["label", "score"],
        "properties": {"label": {"type": "string"}, "score": {"type": "number"}},
    }
    return {"Text": text, "Query": query, "Score": score, "Error": error}


def _predict(limits: Limits) -> dict[str, Any]:
    return {
        "operationId": "predict",
        "summary": "Scores of every label for a text, or for each of several",
        "description": f"At most {limits.texts} texts, and {limits.body_bytes:,} bytes.",
        "security": [{"key": []}],
        "parameters": [_timeout()],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Query"}}},
        },
        "responses": {
            "200": {
                "description": "The scores, best first: a list for one text, a list of such lists for several",
                "content": {"application/json": {"schema": {"anyOf": [_SCORES, {"type": "array", "items": _SCORES}]}}},
            },
            **{str(status): _error(status) for status in (400, 404, 408, 413, 415, 421, 422, 429, 500, 503, 504)},
        },
    }


def _stream(limits: Limits) -> dict[str, Any]:
    return {
        "operationId": "predict_stream",
        "summary": "The same for any number of texts: a line in, a line out, in order",
        "description": "A line is a text as a JSON string, or an object as for /predict. The answer begins before the "
        "last line has been sent, so read while you write: a client that does not is cut off.",
        "security": [{"key": []}],
        "parameters": [_timeout()],
        "requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}},
        "responses": {
            "200": {
                "description": 'Lines {"index": 0, "scores": ...} or {"index": 0, "error": ..., "error_type": ...}',
                "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
            },
            **{str(status): _error(status) for status in (415, 421, 422, 503)},
        },
    }


def _timeout() -> dict[str, Any]:
    return {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "schema": {"type": "integer", "minimum": 1},
        "description": "Milliseconds after which the answer is of no more use (504, and the work is dropped).",
    }


def _get(summary: str, name: str, *statuses: int, key: bool = True) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"key": []}] if key else [],
        "responses": {
            "200": {"description": "So it is", "content": {"application/json": {"schema": {"type": "object"}}}},
            **{str(status): _error(status) for status in (421, *statuses)},
        },
    }


def _metrics() -> dict[str, Any]:
    one = _get("Figures for Prometheus", "metrics")
    one["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return one


def _error(status: int) -> dict[str, Any]:
    return {
        "description": KINDS[status].replace("_", " "),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


def page(document: dict[str, Any]) -> str:
    """The document as one HTML page that needs nothing else."""
    parts = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            rows = "".join(
                f"<tr><td>{escape(status)}</td><td>{escape(one['description'])}</td></tr>"
                for status, one in operation["responses"].items()
            )
            text = escape(operation.get("description", ""))
            parts.append(
                f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}. "
                f"{text}</p><table><caption>Answers</caption>{rows}</table></section>"
            )
    fields = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(one.get('description', ''))}</td></tr>"
        for name, one in document["components"]["schemas"]["Query"]["properties"].items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Leanformer: routes</title>'
        '<meta name="viewport" content="width=device-width"><style>:root{color-scheme:light dark}'
        "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
        "td{padding:.15rem 1rem .15rem 0;vertical-align:top}caption{text-align:left;font-weight:600}</style>"
        "<h1>Routes</h1><p>For programs: <a href='openapi.json'>openapi.json</a>. To try it: <a href='./'>the page</a>."
        f"</p>{''.join(parts)}<section><h2>Fields of a request</h2><table>{fields}</table></section></html>"
    )
