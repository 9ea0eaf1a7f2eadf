"""Fields sent by clients of other servers: text-embeddings-inference and Hugging Face's inference API.

Such a field is honoured if that is possible; otherwise the request is refused, because an answer that ignored it could
be mistaken for the requested one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leanformer.serve.http.refused import Refused

# Switches of Hugging Face's inference API: they concern its own queue and cache, so they have no effect here.
SWITCHES = ("dont_load_model", "use_cache", "use_gpu", "wait_for_model")

Read = Callable[[str, Any], dict[str, Any]]


def check_switches(value: Any) -> None:
    """Check the field `options`: an object of switches, without effect. Raises `Refused` (422)."""
    if value is None:
        return
    if not isinstance(value, dict):
        raise Refused(422, "options: must be an object")
    for name, switch in value.items():
        if name not in SWITCHES:
            raise Refused(422, f"options: unknown field {name[:40]!a}; the fields are {', '.join(SWITCHES)}")
        if not isinstance(switch, bool | None):
            raise Refused(422, f"options.{name}: must be true or false")


def _choice(name: str, value: Any, names: tuple[str, ...], why: str = "") -> str:
    if not isinstance(value, str) or value.lower() not in names:
        raise Refused(422, f"{name}: must be {' or '.join(names)}{why}")
    return value.lower()


def _side(name: str, value: Any) -> dict[str, Any]:
    return {"truncation_direction": _choice(name, value, ("right", "left"))}


def _function(name: str, value: Any) -> dict[str, Any]:
    function = _choice(name, value, ("softmax", "sigmoid", "none"))
    return {"raw_scores": True} if function == "none" else {"function_to_apply": function}


def _aggregation(name: str, value: Any) -> dict[str, Any]:
    _choice(
        name, value, ("simple", "first"), "; entities are made of whole words, each with the tag of its first piece"
    )
    return {}


def _encoding(name: str, value: Any) -> dict[str, Any]:
    _choice(name, value, ("float",), "; vectors are written as numbers")
    return {}


def _absent(why: str) -> Read:
    def read(name: str, value: Any) -> dict[str, Any]:
        raise Refused(422, f"{name}: {why}")

    return read


FIELDS: dict[str, dict[str, Read]] = {
    "predict": {"truncation_direction": _side, "function_to_apply": _function},
    "tag": {"aggregation_strategy": _aggregation},
    "embed": {
        "truncation_direction": _side,
        "encoding_format": _encoding,
        "prompt_name": _absent("this model has no prompts; put the prompt into the text"),
        "dimensions": _absent("vectors are given whole"),
    },
    "answer": {},
}
"""Route -> field -> what it means in our own options, for a value that is not null. Raises `Refused` (422)."""


def read_fields(route: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Our options for those of the `fields` that clients of other servers send. Raises `Refused` (422)."""
    options: dict[str, Any] = {}
    for name, read in FIELDS[route].items():
        if fields.get(name) is not None:
            options |= read(name, fields[name])
    return options
