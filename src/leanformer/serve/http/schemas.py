"""JSON schemas of requests and responses, including the server's limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leanformer.answers.forms import form_of
from leanformer.inputs.kinds import input_of
from leanformer.questions import VISIBLE
from leanformer.serve.http.dialects import FIELDS, SWITCHES
from leanformer.serve.http.inputs import OPTIONS
from leanformer.serve.http.refused import KINDS
from leanformer.serve.settings import RequestLimits, ServerSettings
from leanformer.task import Task

# The schema of the body for each route, and of one that must name its model.
QUERIES = {"predict": "Query", "tag": "TagQuery", "embed": "EmbedQuery", "answer": "AnswerQuery"}
NAMED = {route: f"Named{name}" for route, name in QUERIES.items()}


def answer_schema(route: str) -> dict[str, Any]:
    """The schema of the response with status 200."""
    if route == "embed":
        return {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
    name = {"predict": "Score", "tag": "Span", "answer": "Answer"}[route]
    answer = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return {"anyOf": [answer, {"type": "array", "items": answer}]}


def foreign_schemas(limits: RequestLimits, models: Mapping[str, Sequence[str]]) -> dict[str, tuple[Any, Any]]:
    """For each route of another server the schemas of its request and its response.

    Args:
        models: path -> names of the models that answer it.
    """
    boolean, numbers = {"type": ["boolean", "null"]}, {"type": "array", "items": {"type": "number"}}
    side, nothing = _DIALECTS["truncation_direction"], {"type": "null"}

    def body(path: str, needed: list[str], **fields: Any) -> dict[str, Any]:
        model = {"type": ["string", "null"], "enum": [*models[path], None]}
        properties = fields | {"model": model}
        return {"type": "object", "required": needed, "additionalProperties": False, "properties": properties}

    embedding = {"type": "object", "properties": {"embedding": {"anyOf": [numbers, {"type": "string"}]}}}
    ranked = {
        "type": "object",
        "required": ["index", "score"],
        "properties": {"index": {"type": "integer"}, "score": {"type": "number"}, "text": {"type": "string"}},
    }
    compared = {
        "type": "object",
        "required": ["source_sentence", "sentences"],
        "additionalProperties": False,
        "properties": {"source_sentence": _TEXT, "sentences": _several(_TEXT, 1, limits.texts - 1)},
    }
    parameters = {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {"truncate": boolean, "truncation_direction": side, "prompt_name": nothing},
    }
    return {
        "v1/embeddings": (
            body(
                "v1/embeddings", ["input"], input={"anyOf": [_TEXT, _several(_TEXT, 1, limits.texts)]},
                encoding_format={"type": ["string", "null"], "enum": ["float", "base64", None]},
                dimensions=nothing, user={"type": ["string", "null"]},
            ),
            {"type": "object", "required": ["data"], "properties": {"data": {"type": "array", "items": embedding}}},
        ),
        "similarity": (body("similarity", ["inputs"], inputs=compared, parameters=parameters), numbers),
        "rerank": (
            body(
                "rerank", ["query", "texts"], query=_TEXT, texts=_several(_TEXT, 1, limits.texts), raw_scores=boolean,
                return_text=boolean, truncate=boolean, truncation_direction=side,
            ),
            {"type": "array", "items": ranked},
        ),
    }  # fmt: skip


def token_schemas(limits: RequestLimits, models: Sequence[str], largest_id: int) -> dict[str, tuple[Any, Any, str]]:
    """For `/tokenize` and `/decode` the schemas of their requests and responses, and a summary."""
    flag, model = {"type": ["boolean", "null"]}, {"type": ["string", "null"], "enum": [*models, None]}
    ids = _several({"type": "integer", "minimum": 0, "maximum": largest_id}, 1, None)
    place = {"type": ["integer", "null"], "minimum": 0}
    fields = {"id": {"type": "integer"}, "text": {"type": "string"}, "special": {"type": "boolean"}}
    token = {"type": "object", "required": ["id", "text"], "properties": fields | {"start": place, "stop": place}}

    def body(needed: str, schema: Any, **others: Any) -> dict[str, Any]:
        properties = {needed: schema, "model": model} | others
        return {"type": "object", "required": [needed], "additionalProperties": False, "properties": properties}

    return {
        "tokenize": (
            body(
                "inputs", {"anyOf": [_TEXT, _several(_TEXT, 1, limits.texts)]}, add_special_tokens=flag,
                prompt_name={"type": "null"},
            ),
            {"type": "array", "items": {"type": "array", "items": token}},
            "The tokens of a text, or of each of several, in the shape of text-embeddings-inference",
        ),
        "decode": (
            body("ids", {"anyOf": [ids, _several(ids, 1, limits.texts)]}, skip_special_tokens=flag),
            {"type": "array", "items": {"type": "string"}},
            "The text of token ids, or of each of several lists, in the shape of text-embeddings-inference",
        ),
    }  # fmt: skip


def routes_of(tasks: Mapping[str, Task]) -> list[str]:
    """The routes of these models, that of the first model first."""
    return list(dict.fromkeys(form_of(task).route for task in tasks.values())) or ["predict"]


_OPTIONS: dict[str, Any] = {
    "raw_scores": {"type": ["boolean", "null"], "description": "Logits instead of probabilities."},
    "top_k": {
        "type": ["integer", "null"],
        "minimum": 1,
        "description": "How many labels (answers), best first; null: all.",
    },
    "truncate": {
        "type": ["boolean", "null"],
        "description": "Cut texts that are longer than the model's max_tokens; without it they are refused (422). "
        "No effect on a model that reads long texts in windows.",
    },
    "normalize": {"type": ["boolean", "null"], "description": "Vectors of length 1; the default, unless false."},
    "exact": {
        "type": ["boolean", "null"],
        "description": "Run each text by itself: the answer does not depend on what else is asked, to the last bit. "
        "Slower.",
    },
}
_DIALECTS: dict[str, Any] = {
    "truncation_direction": {
        "type": ["string", "null"],
        "enum": ["Right", "Left", "right", "left", None],
        "description": "The end that texts are cut at where `truncate` is true; null: as the model's tokenizer does.",
    },
    "function_to_apply": {
        "type": ["string", "null"],
        "description": "The function that makes the model's scores, or none for logits; another one is refused.",
    },
    "aggregation_strategy": {
        "type": ["string", "null"],
        "enum": ["simple", "first", None],
        "description": "Entities consist of whole words, each with the tag of its first piece; others are refused.",
    },
    "encoding_format": {"type": ["string", "null"], "enum": ["float", None], "description": "Numbers; the default."},
    "prompt_name": {"type": "null", "description": "There are no prompts; put the prompt into the text."},
    "dimensions": {"type": "null", "description": "Vectors are given whole."},
}
_SWITCHES = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {name: {"type": ["boolean", "null"]} for name in SWITCHES},
    "description": "Switches of Hugging Face's inference API; taken, and without effect.",
}
_INPUTS = {
    "predict": "A text; a list of texts; for models on pairs one pair, or a list of pairs.",
    "tag": "A text; a list of texts, each of which may also be a list of its words. Long ones are read whole.",
    "embed": "A text, or a list of texts.",
    "answer": "A question with its context, or a list of such pairs. Long contexts are read whole.",
}
_TEXT = {"$ref": "#/components/schemas/Text"}


def schemas(settings: ServerSettings, tasks: Mapping[str, Task]) -> dict[str, Any]:
    """The components of the description of a server with these settings and models (name -> task)."""
    limits = settings.limits
    text = {
        "type": "string",
        "minLength": 1,
        "maxLength": limits.text_characters,
        # As a pure character class, schema-based text generators would repeat it up to the maximum length.
        "pattern": r"[\s\S]*" + VISIBLE,
    }
    kind = {"enum": sorted(set(KINDS.values()))}
    error = {
        "type": "object",
        "required": ["error", "error_type"],
        "properties": {"error": {"type": "string"}, "error_type": kind},
    }
    # Of OpenAI's routes; what is refused before its route is looked at has the form of the others.
    nested = {
        "type": "object",
        "required": ["message", "type"],
        "properties": {"message": {"type": "string"}, "type": kind},
    }
    openai = {"anyOf": [error, {"type": "object", "required": ["error"], "properties": {"error": nested}}]}
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
    answer = {
        "type": "object",
        "required": ["answer", "start", "end", "score"],
        "properties": {
            "answer": {"type": ["string", "null"], "description": "The piece of the context; null: no answer."},
            "start": {"type": ["integer", "null"], "description": "Its first character (Unicode code points)."},
            "end": {"type": ["integer", "null"], "description": "Its end, exclusive."},
            "score": {"type": "number", "description": "Its probability."},
        },
    }
    queries = {QUERIES[route]: _query(route, settings, tasks) for route in OPTIONS}
    # The root uses the first model, unless another one is named.
    for route in routes_of(tasks)[1:]:
        queries[NAMED[route]] = _named(queries[QUERIES[route]])
    return {
        "Text": text,
        **queries,
        "Score": score,
        "Span": span,
        "Answer": answer,
        "Error": error,
        "OpenAIError": openai,
    }


def _named(query: dict[str, Any]) -> dict[str, Any]:
    """A query that must name its model."""
    model = {"type": "string", "enum": [name for name in query["properties"]["model"]["enum"] if name is not None]}
    return query | {"required": ["inputs", "model"], "properties": query["properties"] | {"model": model}}


def _functions(tasks: Iterable[Task]) -> list[str | None]:
    """The values of `function_to_apply` that each of these models accepts."""
    taken = [form_of(task).function for task in tasks]
    return [*({name for name in taken if name is not None} if len(set(taken)) == 1 else ()), "none", None]


def _several(of: Any, least: int, most: int | None) -> dict[str, Any]:
    return {"type": "array", "minItems": least, "items": of} | ({} if most is None else {"maxItems": most})


def _inputs(route: str, most: int, paired: set[bool]) -> list[dict[str, Any]]:
    """The forms of `inputs` for models on pairs (True), on single texts (False) or both."""
    if route == "tag":
        return [_TEXT, _several({"anyOf": [_TEXT, _several(_TEXT, 1, None)]}, 1, most)]
    forms: list[dict[str, Any]] = []
    if False in paired:
        forms += [_TEXT, _several({"anyOf": [_TEXT, _several(_TEXT, 1, 1)]}, 1, most)]
    if True in paired:
        forms += [_several(_TEXT, 2, 2), _several(_several(_TEXT, 2, 2), 1, most)]
    return forms


def _query(route: str, settings: ServerSettings, tasks: Mapping[str, Task]) -> dict[str, Any]:
    options = {name: (_OPTIONS | _DIALECTS)[name] for name in (*OPTIONS[route], *FIELDS[route])}
    mine = {name: task for name, task in tasks.items() if form_of(task).route == route}
    paired = {input_of(task).paired for task in mine.values()} or {False}
    if "function_to_apply" in options:
        options["function_to_apply"] = options["function_to_apply"] | {"enum": _functions(mine.values())}
    return {
        "type": "object",
        "required": ["inputs"],
        "additionalProperties": False,
        "properties": {
            "inputs": {"description": _INPUTS[route], "anyOf": _inputs(route, settings.limits.texts, paired)},
            "model": {"type": ["string", "null"], "enum": [*mine, None]},
            **options,
            "options": _SWITCHES,
            "parameters": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": options,
                "description": "The options again, where Hugging Face's inference API has them.",
            },
        },
    }
