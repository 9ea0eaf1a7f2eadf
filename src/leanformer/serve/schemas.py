"""JSON schemas of what is asked and answered, with the server's limits in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leanformer.serve.inputs import OPTIONS
from leanformer.serve.refused import KINDS
from leanformer.serve.settings import Settings

# The schema of a body for each route.
QUERIES = {"predict": "Query", "tag": "TagQuery", "embed": "EmbedQuery"}


def answer_schema(route: str) -> dict[str, Any]:
    """What is answered with status 200."""
    if route == "embed":
        return {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
    name = {"predict": "Score", "tag": "Span"}[route]
    one = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return {"anyOf": [one, {"type": "array", "items": one}]}


_OPTIONS: dict[str, Any] = {
    "raw_scores": {"type": ["boolean", "null"], "description": "Logits instead of probabilities."},
    "top_k": {"type": ["integer", "null"], "minimum": 1, "description": "How many labels, best first; null: all."},
    "truncate": {
        "type": ["boolean", "null"],
        "description": "Cut texts that are longer than the model's max_tokens; without it they are refused (422).",
    },
    "normalize": {"type": ["boolean", "null"], "description": "Vectors of length 1; the default, unless false."},
    "exact": {
        "type": ["boolean", "null"],
        "description": "Run each text by itself: the answer does not depend on what else is asked, to the last bit. "
        "Slower.",
    },
}
_INPUTS = {
    "predict": ("A text; a list of texts; for models on pairs one pair, or a list of pairs.", 2),
    "tag": ("A text; a list of texts, each of which may also be a list of its words. Long ones are read whole.", None),
    "embed": ("A text, or a list of texts.", 1),
}


def schemas(settings: Settings, named: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The components of the description of a server with these settings; `named`: the models of each route."""
    limits = settings.limits
    text = {"type": "string", "minLength": 1, "maxLength": limits.text_characters, "pattern": r"\S"}
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
    span = {
        "type": "object",
        "required": ["entity_group", "score", "word", "start", "end"],
        "properties": {
            "entity_group": {"type": "string", "description": "The type of the entity."},
            "score": {"type": "number", "description": "Mean probability of the tags of its words."},
            "word": {"type": "string", "description": "The piece of the text, letter for letter."},
            "start": {"type": "integer", "minimum": 0, "description": "Its first character (Unicode code points)."},
            "end": {"type": "integer", "minimum": 1, "description": "Its end, exclusive."},
        },
    }
    queries = {QUERIES[route]: _query(route, settings, named.get(route, ())) for route in OPTIONS}
    return {"Text": text, **queries, "Score": score, "Span": span, "Error": error}


def _query(route: str, settings: Settings, named: Sequence[str]) -> dict[str, Any]:
    options = {name: _OPTIONS[name] for name in OPTIONS[route]}
    description, most = _INPUTS[route]
    parts = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Text"}}
    item = {"anyOf": [{"$ref": "#/components/schemas/Text"}, parts if most is None else parts | {"maxItems": most}]}
    several = {"type": "array", "minItems": 1, "maxItems": settings.limits.texts, "items": item}
    return {
        "type": "object",
        "required": ["inputs"],
        "additionalProperties": False,
        "properties": {
            "inputs": {"description": description, "anyOf": [{"$ref": "#/components/schemas/Text"}, several]},
            "model": {"type": ["string", "null"], "enum": [*named, None]},
            **options,
            "parameters": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": options,
                "description": "The options again, where Hugging Face's inference API has them.",
            },
        },
    }
