"""Queries, parsed from a request's JSON and validated; every refusal names the field and the limit, if any."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from leanformer.answers.forms import form_of
from leanformer.inputs.checks import is_empty
from leanformer.inputs.kinds import input_of
from leanformer.serve.http.dialects import FIELDS, check_switches, read_fields
from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import RequestLimits
from leanformer.task import Question, Task

# Routes as `POST /NAME`, each with its options; `answers.form.Form.route` determines which models answer it.
OPTIONS = {
    "predict": ("raw_scores", "top_k", "truncate", "exact"),
    "tag": ("exact",),
    "embed": ("normalize", "truncate", "exact"),
    "answer": ("top_k", "exact"),
}


class Query(msgspec.Struct, frozen=True):
    """One request for answers.

    Attributes:
        texts: the texts, pairs of texts (tuples) or, for tagging, lists of words.
        single: whether a single text was sent, so that the response is not a list of answers.
        route: a key of `OPTIONS`.
        model: name of the model; None for the first.
        raw_scores: return logits instead of probabilities.
        top_k: how many labels, or answers, to return, best first; None for all.
        truncate: truncate texts that are too long; otherwise they are refused.
        exact: score each text alone, so that its answer is bit-identical whatever else is being computed.
        normalize: return vectors of length 1.
        arrays: return vectors, or the scores of all labels in their order, as float32 arrays, for an answer that is
            not written as numbers.
        truncation_direction: "right" or "left", the end at which a text is truncated; None for the tokenizer's default.
        function_to_apply: function from logits to scores, if the request names one: "softmax" or "sigmoid".
    """

    texts: list[Question]
    single: bool = False
    route: str = "predict"
    model: str | None = None
    raw_scores: bool = False
    top_k: int | None = None
    truncate: bool = False
    exact: bool = False
    normalize: bool = True
    arrays: bool = False
    truncation_direction: str | None = None
    function_to_apply: str | None = None


# The bodies that most clients send; `read_query` reads those with other fields, and says what is wrong with a body.
_BODIES = {
    route: msgspec.json.Decoder(
        msgspec.defstruct(
            route,
            [
                ("inputs", str | list[str | list[str]]),
                ("model", str | None, None),
                *((name, (int if name == "top_k" else bool) | None, None) for name in options),
            ],
            forbid_unknown_fields=True,
        )
    )
    for route, options in OPTIONS.items()
}


def read_asked(body: bytes, limits: RequestLimits, route: str) -> Query:
    """`read_query` of a body's JSON value, in a tenth of the time for most. Raises `Refused` (400, 422)."""
    try:
        given = msgspec.structs.asdict(_BODIES[route].decode(body))
    except (msgspec.MsgspecError, RecursionError):
        return read_query(read_json(body), limits, route)
    options = {name: value for name, value in given.items() if value is not None}
    if "top_k" in options:
        _count("top_k", options["top_k"])
    texts, single = read_texts(options.pop("inputs"), limits, _words if route == "tag" else _pair)
    return Query(texts, single, route, **options)


def read_json(body: bytes) -> Any:
    """The JSON value of a body. Raises `Refused` (400)."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        # Messages of the decoder name a position; those of other errors may contain text of the request.
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(400, f"the body is not JSON in UTF-8{where}") from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def read_query(value: Any, limits: RequestLimits, route: str = "predict") -> Query:
    """Parse the body of `POST /ROUTE`, given as a JSON value. Raises `Refused` (422) for an invalid one.

    Options may be next to `inputs` or, as in Hugging Face's inference API, under `parameters`.
    """
    if not isinstance(value, dict):
        raise Refused(422, 'the body must be an object: {"inputs": "a text"}')
    known = (*OPTIONS[route], *FIELDS[route])
    if unknown := sorted(set(value) - {"inputs", "model", "parameters", "options", *known}):
        fields = sorted({"inputs", "model", "parameters", "options", *known})
        raise Refused(422, f"unknown field {unknown[0][:40]!a}; the fields are {', '.join(fields)}")
    parameters = value.get("parameters")
    if not isinstance(parameters, dict | None):
        raise Refused(422, "parameters: must be an object")
    if unknown := sorted(set(parameters or ()) - set(known)):
        raise Refused(422, f"parameters: unknown field {unknown[0][:40]!a}; the fields are {', '.join(sorted(known))}")
    check_switches(value.get("options"))
    # Both places are validated, even where one takes precedence.
    options: dict[str, Any] = {}
    for given in (parameters or {}, value):
        options |= read_fields(route, given) | _options(given)
    if "inputs" not in value:
        raise Refused(422, "inputs: missing")
    texts, single = read_texts(value["inputs"], limits, _words if route == "tag" else _pair)
    return Query(texts=texts, single=single, route=route, model=_name(value.get("model")), **options)


def checked(value: Any, fields: Sequence[str], needed: int, where: str = "") -> dict[str, Any]:
    """The object with these fields, the first of which it must have. Raises `Refused` (422)."""
    if not isinstance(value, dict):
        raise Refused(422, f"{where or 'the body'}{': ' if where else ' '}must be an object")
    if unknown := sorted(set(value) - set(fields)):
        names = ", ".join(sorted(fields))
        raise Refused(422, f"{where}{': ' if where else ''}unknown field {unknown[0][:40]!a}; the fields are {names}")
    for name in fields[:needed]:
        if value.get(name) is None:
            raise Refused(422, f"{where}{'.' if where else ''}{name}: missing")
    return value


def fit(query: Query, task: Task) -> Query:
    """The query as the task reads it: pairs for a task on pairs, single texts (or words to tag) for the others.

    A list of two strings is two texts, but for a task on pairs it is one pair, as in text-embeddings-inference; an
    inner list with one string is a text. Raises `Refused` (422) if it does not match the task.
    """
    texts, single = query.texts, query.single
    if query.route == "tag":
        return query
    function = form_of(task).function
    if query.function_to_apply not in (None, function):
        applied = f"the scores of this model are made by {function}" if function else "this model's score is a number"
        raise Refused(422, f'function_to_apply: {applied}; leave it out, or ask for logits with "none"')
    if input_of(task).paired:
        if not single and len(texts) == 2 and all(isinstance(text, str) for text in texts):
            texts, single = [(str(texts[0]), str(texts[1]))], True
        for index, text in enumerate(texts):
            if isinstance(text, str):
                raise Refused(422, f"inputs[{index}]: one text, but the model reads pairs: [[first, second]]")
    else:
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise Refused(422, f"inputs[{index}]: a pair, but the model reads single texts")
    return query if texts is query.texts else msgspec.structs.replace(query, texts=texts, single=single)


def read_texts(
    value: Any, limits: RequestLimits, read_list: Callable[[list[Any], str, RequestLimits], Question]
) -> tuple[list[Question], bool]:
    """The texts of `inputs`, and whether it was a single one. Raises `Refused` (422).

    `read_list` reads an item that is a list itself: its value, its place and the limits.
    """
    if isinstance(value, str):
        return [_text(value, "inputs", limits)], True
    if not isinstance(value, list) or not value:
        raise Refused(422, "inputs: must be a text or a list of texts, and not empty")
    if len(value) > limits.texts:
        raise Refused(422, f"inputs: {len(value)} texts; the limit texts is {limits.texts}")
    return [
        read_list(item, f"inputs[{index}]", limits)
        if isinstance(item, list)
        else _text(item, f"inputs[{index}]", limits)
        for index, item in enumerate(value)
    ], False


def _pair(value: list[Any], where: str, limits: RequestLimits) -> Question:
    if len(value) == 1:
        return _text(value[0], f"{where}[0]", limits)
    if len(value) == 2:
        return _text(value[0], f"{where}[0]", limits), _text(value[1], f"{where}[1]", limits)
    raise Refused(422, f"{where}: {len(value)} items; a pair has two texts")


def _words(value: list[Any], where: str, limits: RequestLimits) -> Question:
    """The words of a sentence; together they may not be longer than a text."""
    if not value:
        raise Refused(422, f"{where}: no words")
    words = [_text(word, f"{where}[{index}]", limits) for index, word in enumerate(value)]
    characters = sum(map(len, words)) + len(words) - 1
    if characters > limits.text_characters:
        raise Refused(422, f"{where}: {characters} characters; the limit text_characters is {limits.text_characters}")
    return words


def _text(value: Any, where: str, limits: RequestLimits) -> str:
    if not isinstance(value, str):
        raise Refused(422, f"{where}: not a text")
    if len(value) > limits.text_characters:
        raise Refused(422, f"{where}: {len(value)} characters; the limit text_characters is {limits.text_characters}")
    if is_empty(value):  # like the pattern in the OpenAPI description
        raise Refused(422, f"{where}: an empty text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            # JSON can express half of a surrogate pair, which is not a character.
            raise Refused(422, f"{where}: half of a surrogate pair at character {error.start}") from error
    return value


def _options(fields: dict[str, Any]) -> dict[str, Any]:
    """The given options, validated; null counts as not given."""
    return {name: read(name, fields[name]) for name, read in _READ.items() if fields.get(name) is not None}


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(422, f"{name}: must be true or false")
    return value


def _count(name: str, value: Any) -> int:
    # In JSON 3.0 is a whole number, too.
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    if not whole or value < 1:
        raise Refused(422, f"{name}: must be a whole number from 1")
    return int(value)


_READ: dict[str, Callable[[str, Any], Any]] = {
    "top_k": _count, "raw_scores": _flag, "truncate": _flag, "exact": _flag, "normalize": _flag,
}  # fmt: skip


def _name(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Refused(422, "model: must be a name")
    return value
